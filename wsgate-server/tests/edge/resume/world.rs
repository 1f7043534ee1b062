//! A gateway, its destination and its audit log.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use token::{NewKey, PrivateKey};
use tokio::net::{TcpListener, TcpStream};

use super::client::Client;
use crate::audit::lines;
use crate::gateway::{Gateway, soon, text, upgrade};

/// A new session, as a client asks for it.
pub(super) const NEW: &str = "Wsgate-Tunnel: 2; window=1048576; resume=yes\r\n";

pub(super) struct World {
    pub(super) gateway: Gateway,
    destination: TcpListener,
    key: Option<PrivateKey>,
    dir: TempDir,
}

impl World {
    /// Of anonymous callers.
    pub(super) async fn start(flags: &[&str]) -> Self {
        Self::start_with(None, flags).await
    }

    /// Of callers with tokens.
    pub(super) async fn with_users(flags: &[&str]) -> Self {
        Self::start_with(Some(PrivateKey::generate(NewKey::Ed25519).unwrap()), flags).await
    }

    async fn start_with(key: Option<PrivateKey>, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let destination = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = destination.local_addr().unwrap();
        let (audit, pem) = (dir.path().join("audit"), dir.path().join("key.pem"));
        let mut all = vec!["--audit-log", text(&audit)];
        if let Some(key) = &key {
            std::fs::write(&pem, key.public_pem()).unwrap();
            all.extend(["--public-key", text(&pem)]);
        }
        all.extend(flags);
        let map = format!("db,{to}\nother,{to}\n");
        let gateway = Gateway::start_with(tempfile::tempdir().unwrap(), "127.0.0.1:0", &map, &all).await;
        Self { gateway, destination, key, dir }
    }

    /// The flags with which another gateway knows the same users.
    pub(super) fn keys(&self) -> [String; 2] {
        ["--public-key".to_owned(), text(&self.dir.path().join("key.pem")).to_owned()]
    }

    /// The header lines of a user.
    pub(super) fn token(&self, user: &str) -> String {
        let Some(key) = &self.key else { return String::new() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({ "sub": user, "iat": now, "exp": now + 60 });
        format!("Authorization: Bearer {}\r\n", key.sign(None, &claims).unwrap())
    }

    /// A tunnel to `db`, and the destination's end of it.
    pub(super) async fn open(&self) -> (Client, TcpStream) {
        self.open_as("").await
    }

    pub(super) async fn open_as(&self, user: &str) -> (Client, TcpStream) {
        let client = Client::open(self, user).await;
        (client, self.accept().await)
    }

    /// The next connection to the destination.
    pub(super) async fn accept(&self) -> TcpStream {
        soon(self.destination.accept()).await.unwrap().0
    }

    /// The head of the answer to an upgrade with these header lines, and the connection.
    pub(super) async fn ask(&self, name: &str, headers: &str) -> (String, TcpStream) {
        let mut stream = self.gateway.connect().await;
        (upgrade(&mut stream, name, headers).await, stream)
    }

    fn audit(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    /// The audit log's lines, once there are so many.
    pub(super) async fn audited(&self, count: usize) -> Vec<Value> {
        lines(&self.audit(), count).await
    }

    /// Waits until the audit log has a line of each of these events, in this order and no other.
    pub(super) async fn audits(&self, events: &[&str]) -> Vec<Value> {
        let lines = self.audited(events.len()).await;
        assert_eq!(lines.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(), events);
        lines
    }
}
