//! The audit log: what it says of tunnels and refusals, and that it follows a rename.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gateway::{Gateway, exchange, soon, text, tunnel, upgrade};

/// The lines of `path` once there are `count`.
pub(crate) async fn lines(path: &Path, count: usize) -> Vec<Value> {
    let enough = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if text.lines().count() >= count {
                break text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(enough).await
}

#[tokio::test]
async fn sessions_and_refusals_are_written_and_a_rename_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("audit.log"), dir.path().join("audit.log.1"));
    let gateway = Gateway::start(&["--audit-log", text(&path)]).await;
    let mut stream = gateway.connect().await;
    assert!(upgrade(&mut stream, "echo", "X-Forwarded-For: 198.51.100.7\r\n").await.contains(" 101 "));
    exchange(&mut stream, "hello").await;
    let open = lines(&path, 1).await.remove(0);
    assert_eq!((&open["event"], &open["method"]), (&"open".into(), &"anonymous".into()));
    assert_eq!(open["forwarded_for"], "198.51.100.7", "loopback is trusted");
    assert_eq!(open["peer"], stream.local_addr().unwrap().to_string());

    std::fs::rename(&path, &old).unwrap();
    kill_process(getpid(), Signal::HUP).unwrap();
    let reopened = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(reopened).await;
    drop(stream);
    let close = lines(&path, 1).await.remove(0);
    assert_eq!((&close["event"], &close["session"]), (&"close".into(), &open["session"]));
    assert_eq!((&close["up"], &close["down"], &close["by"]), (&5.into(), &5.into(), &"client".into()));

    let mut stream = gateway.connect().await;
    assert!(upgrade(&mut stream, "a%0A%7B%22event%22:%22open%22%7D", "").await.contains(" 404 "));
    let refused = lines(&path, 2).await.remove(1);
    assert_eq!((&refused["event"], &refused["status"]), (&"refused".into(), &404.into()));
    assert_eq!((&refused["refusal"], &refused["session"]), (&"unknown-destination".into(), &Value::Null));
    assert_eq!(refused["destination"], "a\n{\"event\":\"open\"}");
    assert_eq!(lines(&old, 1).await.len(), 1);
}

#[tokio::test]
async fn a_strangers_forwarded_for_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let flags = ["--audit-log", text(&path), "--trusted-proxy", "192.0.2.0/24"];
    let gateway = Gateway::start(&flags).await;
    upgrade(&mut gateway.connect().await, "nobody", "X-Forwarded-For: 198.51.100.7\r\n").await;
    let refused = lines(&path, 1).await.remove(0);
    assert_eq!((&refused["forwarded_for"], &refused["x-forwarded-for"]), (&"".into(), &"".into()));
}

#[tokio::test]
async fn lines_go_on_when_the_disk_is_full() {
    let gateway = Gateway::start(&["--audit-log", "/dev/full"]).await;
    tunnel(&mut gateway.connect().await, "carried all the same").await;
}

#[tokio::test]
async fn an_idle_tunnel_is_told_that_it_is_ended_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    for (flag, why) in [("--idle-timeout", "idle"), ("--max-lifetime", "maximum lifetime")] {
        let gateway = Gateway::start(&["--audit-log", text(&path), flag, "200ms"]).await;
        let mut stream = gateway.connect().await;
        assert!(upgrade(&mut stream, "echo", "").await.contains(" 101 "));
        let mut close = [0; 4];
        soon(stream.read_exact(&mut close)).await.unwrap();
        assert_eq!(close, [0x88, 2, 0x03, 0xe9], "Close 1001");
        stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
        let closed = lines(&path, 2).await.remove(1);
        assert_eq!((&closed["by"], &closed["why"]), (&"here".into(), &why.into()));
        std::fs::remove_file(&path).unwrap();
    }
}
