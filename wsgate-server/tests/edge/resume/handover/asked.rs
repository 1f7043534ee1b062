//! A session, asked by a process that does not keep its word.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{Two, come_back};
use crate::gateway::soon;
use crate::resume::client::Client;

/// Asks for the client's session as the gateway that it comes to; the answer, and the connection.
async fn ask(two: &Two, client: &mut Client, more: &Value) -> (Value, UnixStream) {
    client.attempt += 1;
    let hash = client.agreed.session.unwrap().hash().0;
    let received = client.carrier.session().received();
    let mut question = json!({
        "v": 1, "hash": hash, "received": received, "attempt": client.attempt, "destination": "db",
        "user": "", "method": "anonymous", "key": "", "not known": "to you",
    });
    for (name, value) in more.as_object().unwrap() {
        question[name] = value.clone();
    }
    let mut stream = UnixStream::connect(two.socket()).await.unwrap();
    stream.write_all(format!("{question}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(BufReader::new(&mut stream).read_line(&mut answer)).await.unwrap();
    (serde_json::from_str(&answer).unwrap(), stream)
}

#[tokio::test]
async fn a_session_whose_connection_does_not_come_is_detached_again() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    let (answer, asker) = ask(&two, &mut client, &json!({})).await;
    assert_eq!((&answer["received"], answer.get("refused")), (&5.into(), None));
    two.old.audits(&["open", "detach"]).await;
    tokio::time::pause();
    let waiting = tokio::time::Instant::now();
    two.old.audits(&["open", "detach", "detach"]).await;
    assert!(waiting.elapsed().as_secs() >= 4, "{:?}", waiting.elapsed());
    tokio::time::resume();
    drop(asker);
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;
}

#[tokio::test]
async fn a_session_whose_connection_is_none_is_detached_at_once() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    for (at, text) in ["", "garbage\n", "{\"v\":1,\"early\":0}\n"].into_iter().enumerate() {
        let (answer, mut asker) = ask(&two, &mut client, &json!({})).await;
        assert_eq!(answer["received"], 5, "{answer}");
        asker.write_all(text.as_bytes()).await.unwrap();
        drop(asker);
        assert_eq!(two.old.audited(3 + at).await[2 + at]["event"], "detach");
    }
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;
}

#[tokio::test]
async fn who_comes_back_is_compared_by_the_process_that_has_the_session() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    for (more, refused) in [
        (json!({ "user": "alice", "method": "jwt" }), json!("foreign")),
        (json!({ "issuer": null }), json!("foreign")),
        (json!({ "destination": "other" }), json!("foreign")),
        (json!({ "attempt": 0, "received": 6 }), json!({ "over": "gone" })),
        (json!({ "hash": vec![7; 32] }), json!("unknown")),
    ] {
        let (answer, _) = ask(&two, &mut client, &more).await;
        assert_eq!((&answer["refused"], answer.get("received")), (&refused, None), "{more}");
    }
    client.exchange(&mut far, b"and still").await;
}
