//! Tunnels that are cut, and go on.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tunnel::close;
use tunnel::dialect2::{Over, ResetCode};
use tunnel::header::Request;

use crate::client::Client;
use crate::gateway::Gateway;
use crate::owner::{Answer, Manner, Order, Owner, foreign, refusal, request};
use crate::soon;

/// A client with one application, whose tunnel is open.
pub(crate) async fn open(manner: Manner, flags: &[&str]) -> (Client, Owner, TcpStream) {
    let mut owner = Owner::start(manner).await;
    let client = Client::start(&owner.url(), flags).await;
    let mut local = client.connect().await;
    owner.upgrade().await;
    echoes(&mut local, &mut owner).await;
    (client, owner, local)
}

/// Bytes pass, both ways.
pub(crate) async fn echoes(local: &mut TcpStream, owner: &mut Owner) {
    let text: [u8; 8] = rand::random();
    let mut got = [0; 8];
    local.write_all(&text).await.unwrap();
    owner.destination.read_exact(&mut got).await.unwrap();
    owner.destination.write_all(&got).await.unwrap();
    local.read_exact(&mut got).await.unwrap();
    assert_eq!(got, text);
}

/// The application's connection is reset, however long that takes.
pub(crate) async fn is_reset(local: &mut TcpStream) {
    let error = local.read(&mut [0]).await.expect_err("a reset, not an end of file");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// As `Logs::line`, for some minutes.
async fn line(client: &Client, part: &str) -> String {
    for _ in 0..3000 {
        if client.logs.text().contains(part) {
            return client.logs.line(part).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no {part} in {}", client.logs.text())
}

#[tokio::test]
async fn what_is_offered_is_what_the_flags_say() {
    for (flags, offered) in [
        (&[][..], "2; window=1048576; resume=yes"),
        (&["--no-resume"], "2; window=1048576; resume=no"),
        (&["--resume-grace=0", "--window=64KiB"], "2; window=65536; resume=no"),
        (&["--window", "2MiB", "--resume-grace", "1m"], "2; window=2097152; resume=yes"),
    ] {
        let gateway = Gateway::new().await;
        let client = Client::start(&gateway.url(), flags).await;
        let _local = client.connect().await;
        assert_eq!(gateway.asked().await.values("wsgate-tunnel"), [offered], "{flags:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_is_named() {
    for answer in ["2; window=7", "2; grace=1; grace=2", "what"] {
        let gateway = Gateway::new().await;
        let client = Client::start(&gateway.url(), &[]).await;
        let mut local = client.connect().await;
        let mut asked = gateway.asked().await;
        let granted = asked.granted();
        let head = granted.strip_suffix("\r\n").unwrap();
        asked.answer(&format!("{head}Wsgate-Tunnel: {answer}\r\n\r\n")).await;
        is_reset(&mut local).await;
        let line = client.logs.line("tunnel not opened").await;
        assert!(line.contains("101 cannot be understood: Wsgate-Tunnel "), "{line}");
        assert!(line.contains("attempts=1"), "{line}");
    }
}

/// A stream whose every place is different.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|at| (at.wrapping_add(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect()
}

async fn exchange(stream: &mut TcpStream, sends: &[u8], expects: &[u8]) {
    let (mut read, mut write) = stream.split();
    let sending = async {
        write.write_all(sends).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (_, result) = tokio::join!(sending, read.read_to_end(&mut got));
    result.unwrap();
    assert!(got == expects, "{} of {} bytes, or others", got.len(), expects.len());
}

#[tokio::test(start_paused = true)]
async fn every_byte_arrives_once_wherever_the_websockets_break() {
    for round in 0..6 {
        let manner = Manner::default();
        manner.breaks.lock().unwrap().extend((0..12).map(|_| 60 + rand::random_range(0..200_000)));
        let (mut client, mut owner, mut local) = open(manner.clone(), &[]).await;
        let (up, down) = (pattern(round, 700_000), pattern(!round, 900_000));
        tokio::join!(exchange(&mut local, &up, &down), exchange(&mut owner.destination, &down, &up));
        let line = line(&client, "tunnel closed").await;
        assert!(line.starts_with("INFO") && line.contains("up=700008 down=900008"), "{line}");
        let resumes = 12 - manner.breaks.lock().unwrap().len();
        assert!(resumes > 3, "{resumes}");
        assert_eq!(owner.over().await, Some(Over::Finished));
        client.logs.clear();
        client.stop.draining.cancel();
        client = Client::start("http://127.0.0.1:1/", &[]).await; // the logs of one at a time
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_resumed_at_once_and_told() {
    let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
    let ages = [65, 70, 75].into_iter().chain([1; 7]); // whoever cuts often does not make us slow
    for (attempt, age) in (1..).zip(ages) {
        sleep(Duration::from_secs(age)).await;
        let cut = Instant::now();
        owner.order(Order::Cut);
        assert_eq!(owner.resume().await, (8 * u64::from(attempt), attempt));
        assert!(cut.elapsed() < Duration::from_millis(20), "{:?}", cut.elapsed());
        echoes(&mut local, &mut owner).await;
    }
    let logs = client.logs.text();
    assert!(logs.contains("tunnel opened") && logs.contains("dialect=2"), "{logs}");
    let cuts = logs.matches("INFO tunnel cut, resuming it why=\"connection failed\" age_s=").count();
    assert_eq!(cuts, 10, "{logs}");
    assert!(logs.contains("tunnel resumed after_ms=0 attempt=10 tries=1"), "{logs}");
    drop((local, owner.destination));
    assert!(line(&client, "tunnel closed").await.contains("resumes=10"));
}

#[tokio::test(start_paused = true)]
async fn cuts_in_a_row_make_no_pauses_where_something_moves_between_them() {
    let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
    for attempt in 1..8 {
        owner.order(Order::Cut);
        assert_eq!(owner.resume().await.1, attempt);
        echoes(&mut local, &mut owner).await;
    }
    let logs = client.logs.text();
    assert_eq!(logs.matches("tries=1").count(), 7, "{logs}");
}

#[tokio::test(start_paused = true)]
async fn a_hole_is_noticed_and_left() {
    let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
    owner.order(Order::Hole);
    local.write_all(b"into nothing").await.unwrap();
    let begun = Instant::now();
    assert_eq!(owner.resume().await, (8, 1));
    assert!((44..47).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let mut got = [0; 12];
    owner.destination.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"into nothing");
    echoes(&mut local, &mut owner).await;
    assert!(client.logs.text().contains("no answer to a ping"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_final_is_tried_again() {
    let misrouted = "Wsgate-Tunnel: 2; instance=00bad0ff\r\n";
    let answers = [
        Answer::Lost,
        foreign("302 Found"),
        foreign("401 Unauthorized"),
        foreign("403 Forbidden"),
        foreign("404 Not Found"),
        foreign("410 Gone"),
        foreign("502 Bad Gateway"),
        refusal("410 Gone", "gone", misrouted),
        refusal("410 Gone", "finished", misrouted),
        refusal("503 Service Unavailable", "draining", "Retry-After: 3\r\n"),
        refusal("429 Too Many Requests", "limit", "Retry-After: 1\r\n"),
        Answer::Silence,
        Answer::Text("nothing\r\n\r\n".into()),
    ];
    let count = answers.len() as u32;
    let (client, mut owner, mut local) = open(Manner::answering(answers), &[]).await;
    owner.order(Order::Cut);
    for attempt in 1..=count + 1 {
        assert_eq!(owner.resume().await, (8, attempt));
    }
    echoes(&mut local, &mut owner).await;
    let logs = client.logs.text();
    assert!(logs.contains(&format!("attempt={} tries={}", count + 1, count + 1)), "{logs}");
    assert_eq!(logs.matches("INFO tunnel not resumed yet").count(), 1, "{logs}");
    assert!(!logs.contains("WARN"), "{logs}");
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_ten_seconds_until_the_grace_is_over() {
    for (flags, grace) in [(&[][..], 60), (&["--resume-grace=20s"][..], 20), (&["--resume-grace=1h"], 60)] {
        let answers = vec![foreign("502 Bad Gateway"); 99];
        let manner = Manner { grace: Duration::from_secs(60), ..Manner::answering(answers) };
        let (client, mut owner, mut local) = open(manner, flags).await;
        owner.order(Order::Cut);
        let cut = Instant::now();
        is_reset(&mut local).await;
        let lasted = cut.elapsed();
        assert!(
            lasted.as_secs_f64() - f64::from(grace) < 0.1 && lasted.as_secs() >= grace as u64,
            "{lasted:?}"
        );
        let mut times = Vec::new();
        while let Ok((at, _)) = owner.upgrades.try_recv() {
            times.push(at);
        }
        let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        let full = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000];
        assert!(pauses.len() >= 4, "{pauses:?}");
        for (pause, full) in pauses.iter().zip(full) {
            assert!((full / 2..=full + 5).contains(pause), "{pauses:?}");
        }
        let line = line(&client, "tunnel closed").await;
        assert!(line.contains("grace over"), "{line}");
        client.logs.line("tunnel not resumed in time").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_that_resets_meanwhile_is_tried_to_be_told_until_the_grace_is_over() {
    let manner =
        Manner { grace: Duration::from_secs(20), ..Manner::answering(vec![foreign("502 Bad Gateway"); 99]) };
    let (client, mut owner, local) = open(manner, &[]).await;
    owner.order(Order::Cut);
    owner.resume().await;
    local.set_zero_linger().unwrap();
    drop(local);
    let begun = Instant::now();
    let line = line(&client, "tunnel closed").await;
    assert!((10..25).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(line.contains("by=local") || line.contains("reset"), "{line}");
    assert!(!client.logs.text().contains("tunnel not resumed in time"), "nobody waits for it");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_resets_meanwhile_is_done_with_when_the_gateway_refuses() {
    let answers = [foreign("502 Bad Gateway"), foreign("502 Bad Gateway"), refusal("410 Gone", "gone", "")];
    let (client, mut owner, local) = open(Manner::answering(answers), &[]).await;
    owner.order(Order::Cut);
    owner.resume().await;
    local.set_zero_linger().unwrap();
    drop(local);
    let begun = Instant::now();
    line(&client, "tunnel closed").await;
    assert!(begun.elapsed() < Duration::from_secs(10), "not the grace: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_the_gateway_refuses_is_final() {
    let ours = "Wsgate-Tunnel: 2; instance=00c0ffee\r\n";
    for answer in [
        refusal("400 Bad Request", "bad-request", ""),
        refusal("403 Forbidden", "forbidden", ""),
        refusal("404 Not Found", "unknown-destination", ""),
        refusal("409 Conflict", "stale", ""),
        refusal("410 Gone", "gone", ""),
        refusal("410 Gone", "gone", ours),
        refusal("410 Gone", "reset", ours),
        refusal("410 Gone", "finished", ours), // it is not: the application has more to say
    ] {
        let (client, mut owner, mut local) = open(Manner::answering([answer.clone()]), &[]).await;
        owner.order(Order::Cut);
        let begun = Instant::now();
        is_reset(&mut local).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{answer:?}");
        assert_eq!(owner.resume().await, (8, 1));
        let line = line(&client, "tunnel closed").await;
        assert!(line.contains("resume refused"), "{line}");
        sleep(Duration::from_secs(60)).await;
        assert!(owner.upgrades.try_recv().is_err(), "{answer:?}: no other attempt");
    }
}

const ACK: &[u8] = b"\x82\x0d\x02\0\0\0\0\0\0\0\0\0\x01\0\0";
const EOF: &[u8] = b"\x82\x09\x03\0\0\0\0\0\0\0\0";

#[tokio::test]
async fn what_is_finished_ends_in_order() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut local = client.connect().await;
    let mut asked = gateway.asked().await;
    let granted = asked.granted();
    let head = granted.strip_suffix("\r\n").unwrap();
    let tunnel = "2; window=65536; session=AAECAwQFBgcICQoLDA0ODw; instance=00c0ffee; grace=120";
    asked.answer(&format!("{head}Wsgate-Tunnel: {tunnel}\r\n\r\n")).await;
    asked.stream.write_all(&[ACK, EOF].concat()).await.unwrap();
    assert_eq!(local.read(&mut [0]).await.unwrap(), 0);
    local.shutdown().await.unwrap();
    while asked.frame().await.1.first() != Some(&3) {} // its EOF; our ACK of it is lost
    drop(asked);
    let mut asked = gateway.asked().await;
    assert_eq!(asked.values("wsgate-tunnel"), ["2; session=AAECAwQFBgcICQoLDA0ODw; received=1; attempt=1"]);
    asked.answer("HTTP/1.1 410 Gone\r\nWsgate-Refusal: finished\r\nContent-Length: 0\r\n\r\n").await;
    let line = client.logs.line("tunnel closed").await;
    assert!(line.starts_with("INFO") && line.contains("why=end of file"), "{line}");
    let logs = client.logs.text();
    assert!(!logs.contains("AAECAwQ"), "the id is a secret: {logs}");
}

#[tokio::test]
async fn a_refused_credential_is_renewed_once() {
    let refused = || refusal("401 Unauthorized", "credential", "");
    for answers in [vec![refused(), Answer::Grant], vec![refused(), refused()]] {
        let lives = matches!(answers[1], Answer::Grant);
        let files = tempfile::tempdir().unwrap();
        let command = format!("echo x >> {0}; wc -l < {0}", files.path().join("count").display());
        let (client, mut owner, mut local) =
            open(Manner::answering(answers), &["--token-command", &command]).await;
        owner.order(Order::Cut);
        for token in ["Bearer 1", "Bearer 2"] {
            let (_, head) = soon(owner.upgrade()).await;
            assert!(head.contains(&format!("authorization: {token}\r\n")), "{head}");
        }
        match lives {
            true => echoes(&mut local, &mut owner).await,
            false => {
                is_reset(&mut local).await;
                let line = client.logs.line("WARN tunnel not resumed").await;
                assert!(line.contains("401 Unauthorized"), "{line}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookies_of_the_session_come_back() {
    let cookies = "Set-Cookie: GCLB=abc; Path=/; HttpOnly\r\nSet-Cookie: b=2\r\n";
    let manner = Manner { cookies, ..Manner::default() };
    let (_client, mut owner, _local) = open(manner, &["-H", "Cookie: mine=1"]).await;
    owner.order(Order::Cut);
    let (_, head) = owner.upgrade().await;
    assert!(head.contains("\r\ncookie: mine=1; GCLB=abc; b=2\r\n"), "{head}");
}

#[tokio::test(start_paused = true)]
async fn closes_that_end_the_session_end_it() {
    for code in [close::OWNER_GONE, close::NOT_ALLOWED, close::PROTOCOL, close::TOO_BIG] {
        let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
        owner.order(Order::Close(code));
        is_reset(&mut local).await;
        assert!(line(&client, "tunnel closed").await.contains(&code.to_string()));
        sleep(Duration::from_secs(30)).await;
        assert!(owner.upgrades.try_recv().is_err(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_taken_over_is_taken_back_once() {
    let (_client, mut owner, mut local) = open(Manner::default(), &[]).await;
    owner.order(Order::Close(close::TAKEN_OVER));
    assert_eq!(owner.resume().await, (8, 1));
    echoes(&mut local, &mut owner).await;
    owner.order(Order::Close(close::TAKEN_OVER));
    is_reset(&mut local).await;
}

#[tokio::test]
async fn a_gateway_that_wants_a_newer_credential_gets_it() {
    let files = tempfile::tempdir().unwrap();
    let count = files.path().join("count");
    let command = format!("echo x >> {0}; wc -l < {0}", count.display());
    let (_client, mut owner, mut local) = open(Manner::default(), &["--token-command", &command]).await;
    owner.order(Order::Close(close::RENEW));
    let (_, head) = owner.upgrade().await;
    assert!(head.contains("authorization: Bearer 2\r\n"), "{head}");
    assert!(matches!(request(&head), Some(Request::Resume { attempt: 1, .. })), "{head}");
    echoes(&mut local, &mut owner).await;
}

#[tokio::test(start_paused = true)]
async fn without_resume_a_cut_is_a_reset() {
    let none = Manner { grace: Duration::ZERO, ..Manner::default() };
    for (manner, flags) in [(Manner::default(), &["--no-resume"][..]), (none, &[])] {
        let (client, mut owner, mut local) = open(manner, flags).await;
        owner.order(Order::Cut);
        is_reset(&mut local).await;
        assert!(line(&client, "tunnel closed").await.contains("resumes=0"));
        assert!(owner.upgrades.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_was_out_of_reach_hears_that_the_application_is_gone() {
    let manner = Manner::answering(vec![foreign("502 Bad Gateway"); 5]);
    let (_client, mut owner, mut local) = open(manner, &[]).await;
    owner.order(Order::Cut);
    assert_eq!(owner.resume().await, (8, 1));
    local.write_all(b"last words").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    local.set_zero_linger().unwrap();
    drop(local);
    for attempt in 2..=6 {
        assert_eq!(owner.resume().await, (8, attempt));
    }
    assert!(matches!(owner.over().await, Some(Over::ResetByPeer(ResetCode::LOCAL, _))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_stopped_tells_the_gateway_within_a_second() {
    for is_cut in [false, true] {
        let manner = Manner::answering(vec![foreign("502 Bad Gateway"); 5]);
        let (client, mut owner, mut local) = open(manner.clone(), &[]).await;
        if is_cut {
            owner.order(Order::Cut);
            for attempt in 1..=5 {
                assert_eq!(owner.resume().await, (8, attempt));
            }
            sleep(Duration::from_millis(10)).await; // in the pause before the next attempt
        }
        let begun = Instant::now();
        client.stop.draining.cancel();
        client.stop.now.cancel();
        if tokio::time::timeout(Duration::from_secs(5), is_reset(&mut local)).await.is_err() {
            panic!("{is_cut}: {}", client.logs.text());
        }
        let over = tokio::time::timeout(Duration::from_secs(3), owner.over()).await;
        let Ok(over) = over else { panic!("{is_cut}: {}", client.logs.text()) };
        assert!(matches!(over, Some(Over::ResetByPeer(ResetCode::STOPPING, _))), "{over:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
