//! Who may not come back.

use tunnel::header::Header;

use super::client::{resuming, said};
use super::world::{NEW, World};

/// The status line's code and the word of a refusal.
fn refusal(head: &str) -> (String, String) {
    let word = head.lines().find_map(|line| line.strip_prefix("wsgate-refusal: ")).unwrap_or_default();
    (head.split(' ').nth(1).unwrap().to_owned(), word.to_owned())
}

pub(super) fn expect(head: &str, status: &str, word: &str) {
    assert_eq!(refusal(head), (status.to_owned(), word.to_owned()), "{head}");
}

#[tokio::test]
async fn a_resume_that_cannot_be_is_refused_in_words_and_harms_nothing() {
    let world = World::start(&[]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    let (head, _kept) = world.ask("db", NEW).await;
    let other = said(&head).unwrap();
    let unknown = Header { session: Some(tunnel::session_id::SessionId::random()), ..other };
    let agreed = &client.agreed;
    let id = |line: String| line.split("session=").nth(1).unwrap()[..22].to_owned();
    let secret = id(resuming(agreed, 0, 1));
    for (name, header, status, word) in [
        ("db", resuming(&unknown, 0, 1), "410", "gone"),
        ("other", resuming(agreed, 5, 1), "403", "forbidden"),
        ("none", resuming(agreed, 5, 1), "404", "unknown-destination"),
        ("db", resuming(agreed, 6, 1), "410", "gone"),
        ("db", format!("Wsgate-Tunnel: 2; session={secret}\r\n"), "400", "bad-request"),
        (
            "db",
            format!("Wsgate-Tunnel: 2; session={secret}x; received=5; attempt=1\r\n"),
            "400",
            "bad-request",
        ),
        ("db", format!("{NEW}{NEW}"), "400", "bad-request"),
    ] {
        let (head, _) = world.ask(name, &header).await;
        expect(&head, status, word);
        let instance = said(&head).and_then(|header| header.instance);
        assert_eq!(instance, agreed.instance.filter(|_| status == "410"), "{head}");
        assert!(!head.contains(&secret), "{head}");
    }
    client.exchange(&mut far, b"and still").await;
    let lines = world.audited(9).await;
    let refused: Vec<_> = lines.iter().filter(|line| line["event"] == "refused").collect();
    assert_eq!(refused.len(), 7);
    assert!(refused[0]["reason"].as_str().unwrap().contains("knows no such session"), "{}", refused[0]);
    assert_eq!(refused[1]["session"], lines[0]["session"]);
    assert!(refused[1]["reason"].as_str().unwrap().contains("somebody else"), "{}", refused[1]);
    assert!(lines.iter().all(|line| !line.to_string().contains(&secret)), "the id is a secret");
}

#[tokio::test]
async fn a_session_is_resumed_five_times_a_second_at_most() {
    let world = World::start(&[]).await;
    let (client, _far) = world.open().await;
    let mut kept = Vec::new();
    for attempt in 1..=5 {
        let (head, stream) = world.ask("db", &resuming(&client.agreed, 0, attempt)).await;
        expect(&head, "101", "");
        kept.push(stream);
    }
    let (head, _) = world.ask("db", &resuming(&client.agreed, 0, 6)).await;
    expect(&head, "429", "limit");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
}

#[tokio::test]
async fn only_who_opened_a_session_comes_back_to_it() {
    let world = World::with_users(&[]).await;
    let (mut client, mut far) = world.open_as("alice").await;
    client.cut();
    let resume = resuming(&client.agreed, 0, 1);
    for (credential, status, word) in [
        (world.token("bob"), "403", "forbidden"),
        (String::new(), "401", "credential"),
        (world.token("alice"), "101", ""),
    ] {
        let (head, _) = world.ask("db", &format!("{credential}{resume}")).await;
        expect(&head, status, word);
    }
    client.attempt = 1;
    client.resume().await.unwrap();
    client.exchange(&mut far, b"hello").await;
    let lines = world.audited(4).await;
    let foreign = lines.iter().find(|line| line["status"] == 403).unwrap();
    assert_eq!((&foreign["user"], &foreign["session"]), (&"bob".into(), &lines[0]["session"]));
}
