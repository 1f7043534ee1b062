//! Sessions that are in another process than the one to which their client comes back. Here both are in one, and
//! share a directory.

mod asked;
mod hostile;
mod tls;

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::dialect2::{Cut, Over, Turn};
use tunnel::header::Header;
use tunnel::session_id::SessionId;

use super::client::{Client, read, resuming, said};
use super::ending::reset;
use super::refused::expect;
use super::world::{NEW, World};
use crate::gateway::{soon, text};

/// Two generations of a gateway.
struct Two {
    old: World,
    new: World,
    /// The gateways make it.
    dir: PathBuf,
    _parent: TempDir,
}

impl Two {
    /// The new one with these flags.
    async fn start(flags: &[&str]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let old = World::start(&["--handover-dir", text(&parent.path().join("handover"))]).await;
        Self::after(old, parent, flags).await
    }

    async fn with_users() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let old = World::with_users(&["--handover-dir", text(&parent.path().join("handover"))]).await;
        let keys = old.keys();
        Self::after(old, parent, &keys.each_ref().map(String::as_str)).await
    }

    async fn after(old: World, parent: TempDir, flags: &[&str]) -> Self {
        up(&old).await;
        let dir = parent.path().join("handover");
        let new = World::start(&[&["--handover-dir", text(&dir)], flags].concat()).await;
        Self { old, new, dir, _parent: parent }
    }

    /// A client of the old one, which will come back to the new one.
    async fn open(&self) -> (Client, TcpStream) {
        let (mut client, far) = self.old.open().await;
        client.gateway = self.new.gateway.address.unwrap();
        (client, far)
    }

    /// The sockets in the directory.
    fn sockets(&self) -> Vec<PathBuf> {
        std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The old one's.
    fn socket(&self) -> PathBuf {
        self.dir.join(format!("{}.sock", std::process::id()))
    }
}

/// Until it serves, and answers others.
async fn up(world: &World) {
    let mut stream = world.gateway.connect().await;
    assert!(crate::gateway::ask(&mut stream, "/live", "").await.starts_with("HTTP/1.1 200 "));
}

/// As a client does it: a 410 of another process than that of the session is not the last word. On a busy machine
/// an answer may come too late.
async fn come_back(client: &mut Client) -> Result<(), String> {
    for _ in 0..10 {
        let Err(head) = client.resume().await else { return Ok(()) };
        let says_so = said(&head).and_then(|header| header.instance);
        if !head.contains(" 410 ") || says_so == client.agreed.instance {
            return Err(head);
        }
    }
    Err("it is not found".to_owned())
}

#[tokio::test]
async fn what_is_on_its_way_in_both_directions_goes_on_in_the_old_process() {
    const PART: usize = 512 << 10;
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    let echoing = tokio::spawn(async move {
        let (mut reader, mut writer) = far.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let all: Vec<u8> = (0..3 * PART).map(|at| (at * 31 + at / 251).to_le_bytes()[0]).collect();
    let mut got = Vec::new();
    for part in 1..=3 {
        if part > 1 {
            client.cut();
            come_back(&mut client).await.unwrap();
        }
        client
            .during(async |app| {
                let (mut reader, mut writer) = app.split();
                // What is not read now is on its way when the next cut comes.
                let wanted = if part == 3 { all.len() } else { part * PART - PART / 2 };
                let reading = async {
                    while got.len() < wanted {
                        reader.read_buf(&mut got).await.unwrap();
                    }
                };
                let (_, written) =
                    tokio::join!(reading, writer.write_all(&all[(part - 1) * PART..part * PART]));
                written.unwrap();
            })
            .await;
    }
    assert!(got == all);
    client.during(async |app| app.shutdown().await.unwrap()).await;
    assert_eq!(client.turn().await, Turn::Over(Over::Finished));
    echoing.await.unwrap();
    let lines = two.old.audits(&["open", "detach", "resume", "detach", "resume", "close"]).await;
    assert_eq!((&lines[2]["session"], &lines[2]["upstream"]), (&lines[0]["session"], &lines[0]["upstream"]));
    assert_ne!(lines[2]["peer"], lines[0]["peer"], "who came back, from where it came");
    assert_eq!((&lines[2]["dialect"], &lines[5]["resumes"]), (&2.into(), &2.into()));
}

#[tokio::test]
async fn the_old_websocket_is_stopped_at_once() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    let mut old = client.websocket.take().unwrap();
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;
    assert_eq!(soon(client.carrier.over(&mut old)).await, Turn::Cut(Cut::Closed(4002)));
    client.exchange(&mut far, b"and again").await;
}

#[tokio::test]
async fn the_refusal_of_the_process_that_has_it_is_given_on() {
    let two = Two::with_users().await;
    let mut client = Client::open(&two.old, "alice").await;
    let mut far = two.old.accept().await;
    client.gateway = two.new.gateway.address.unwrap();
    client.exchange(&mut far, b"hello").await;
    client.attempt = 4;
    come_back(&mut client).await.unwrap();
    let (alice, agreed) = (two.old.token("alice"), &client.agreed);
    for (name, credential, header, status, word) in [
        ("db", two.old.token("bob"), resuming(agreed, 5, 9), "403", "forbidden"),
        ("other", alice.clone(), resuming(agreed, 5, 9), "403", "forbidden"),
        ("db", alice.clone(), resuming(agreed, 5, 1), "409", "stale"),
        ("db", alice.clone(), resuming(agreed, 6, 9), "410", "gone"),
        ("db", String::new(), resuming(agreed, 5, 9), "401", "credential"),
    ] {
        let (head, _) = two.new.ask(name, &format!("{credential}{header}")).await;
        expect(&head, status, word);
        let instance = said(&head).and_then(|header| header.instance);
        assert_eq!(instance, agreed.instance.filter(|_| status == "410"), "{head}");
    }
    client.exchange(&mut far, b"and still").await;
    let refused = two.new.audited(5).await;
    assert!(refused.iter().all(|line| line["event"] == "refused"));
    assert_eq!(refused[0]["session"], two.old.audited(1).await[0]["session"]);
}

#[tokio::test]
async fn how_a_session_ended_is_known_in_the_other_process_too() {
    let two = Two::start(&[]).await;
    let (mut broken, mut far) = two.open().await;
    broken.exchange(&mut far, b"hello").await;
    reset(far);
    assert!(matches!(broken.turn().await, Turn::Over(Over::ResetByPeer(..))));
    two.old.audits(&["open", "close"]).await;
    let refused = come_back(&mut broken).await.unwrap_err();
    expect(&refused, "410", "reset");
    let (head, _kept) = two.new.ask("db", NEW).await;
    let unknown = Header { session: Some(SessionId::random()), ..broken.agreed };
    let (refused, _) = two.new.ask("db", &resuming(&unknown, 0, 1)).await;
    expect(&refused, "410", "gone");
    assert_eq!(said(&refused).unwrap().instance, said(&head).unwrap().instance, "its own word");
}

#[tokio::test]
async fn a_process_that_drains_still_leads_clients_to_the_other() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    let (mut own, mut own_far) = two.new.open().await;
    own.exchange(&mut own_far, b"it is kept by this").await;
    two.new.gateway.stop.draining.cancel();
    client.cut();
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;
    let unknown = Header { session: Some(SessionId::random()), ..client.agreed };
    let (head, _) = two.new.ask("db", &resuming(&unknown, 0, 1)).await;
    expect(&head, "503", "draining");
}

#[tokio::test]
async fn a_process_answers_until_its_last_session_has_ended() {
    let mut two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    assert_eq!(two.sockets().len(), 2);
    two.old.gateway.stop.draining.cancel();
    for _ in 0..2 {
        client.cut();
        come_back(&mut client).await.unwrap();
        client.exchange(&mut far, b"again").await;
    }
    let end = client.during(async |app| app.shutdown().await);
    end.await.unwrap();
    client.during(async |_| assert_eq!(soon(far.read(&mut [0; 1])).await.unwrap(), 0)).await;
    drop(far);
    assert_eq!(client.turn().await, Turn::Over(Over::Finished));
    soon(&mut two.old.gateway.running).await.unwrap();
    assert!(!two.socket().exists());
    two.new.gateway.stop.draining.cancel();
    soon(&mut two.new.gateway.running).await.unwrap();
    assert_eq!(two.sockets(), Vec::<PathBuf>::new());
}
