//! Asking a running proxy what it routes where: those parts of its status that others decide by.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use daemon::listen::{Host, ListenAddr};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::selector::Label;

/// Where a proxy answers if nobody says otherwise.
pub(crate) const SOCKET: &str = "unix:/run/wsgate/motarei.sock";

/// What asking may take.
const EXCHANGE: Duration = Duration::from_secs(5);

/// More than this is no status.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The status. A proxy of another version may say less or more.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    pub(crate) apps: Vec<App>,
}

/// An app.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct App {
    pub(crate) name: String,
    /// What its containers carry, `KEY` or `KEY=VALUE`.
    labels: Vec<String>,
    /// The id of the container that new connections go to.
    routed: Option<String>,
    pub(crate) containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    /// In nanoseconds since 1970.
    pub(crate) created: i64,
    pub(crate) state: String,
    /// Why it is not ready.
    pub(crate) reason: Option<String>,
    /// Carried connections.
    pub(crate) connections: usize,
    /// How long they may go on when it is to end, in seconds.
    pub(crate) drain: Option<f64>,
}

impl Document {
    /// The apps whose containers carry all of `labels`.
    pub(crate) fn with_labels<'a>(&'a self, labels: &'a [Label]) -> impl Iterator<Item = &'a App> {
        let carries = |app: &&App| labels.iter().all(|label| app.labels.contains(&label.to_string()));
        self.apps.iter().filter(carries)
    }
}

impl App {
    /// The container that new connections go to.
    pub(crate) fn routed(&self) -> Option<&Container> {
        let id = self.routed.as_ref()?;
        self.containers.iter().find(|container| container.id == *id)
    }

    /// The one whose id begins with `text`, or whose name it is.
    pub(crate) fn container(&self, text: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.id.starts_with(text) || container.name == text)
    }

    /// The newest of those that came after `other`, or after none.
    pub(crate) fn newest_after(&self, other: Option<&Container>) -> Option<&Container> {
        let newer = |container: &&Container| other.is_none_or(|other| container.is_newer_than(other));
        self.containers.iter().filter(newer).max_by_key(|container| container.age_order())
    }
}

impl Container {
    /// The order in which the proxy prefers them.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.age_order() > other.age_order()
    }

    /// Whether it does what it should. What is not ready gets connections if nothing else can.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == "ready"
    }

    fn age_order(&self) -> (i64, &str) {
        (self.created, &self.id)
    }

    /// The name and why it does not serve, for people.
    pub(crate) fn trouble(&self) -> String {
        format!("{} is {}: {}", self.name, self.state, self.reason.as_deref().unwrap_or("no reason is known"))
    }
}

/// The status of the proxy at `address`.
///
/// # Errors
/// If nobody answers in time, or somebody else.
pub(crate) async fn ask(address: &ListenAddr) -> Result<Document> {
    let answer = timeout(EXCHANGE, dial_and_ask(address)).await.context("no answer in 5 s");
    answer.and_then(|answer| read(&answer?)).with_context(|| format!("asking the proxy at {address}"))
}

async fn dial_and_ask(address: &ListenAddr) -> Result<Vec<u8>> {
    match address {
        ListenAddr::Unix(path) => exchange(UnixStream::connect(path).await?).await,
        ListenAddr::Tcp { host, port } => {
            let host = match host {
                Host::Any => "localhost".to_owned(),
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.clone(),
            };
            exchange(TcpStream::connect((host.as_str(), *port)).await?).await
        }
    }
}

/// In HTTP/1.0 the answer is not chunked, and ends with the connection.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Vec<u8>> {
    stream.write_all(b"GET /status HTTP/1.0\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read(answer: &[u8]) -> Result<Document> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let (head, body) = answer.split_at(end + 4);
    let line = String::from_utf8_lossy(head).lines().next().unwrap_or_default().to_owned();
    if line.split(' ').nth(1) != Some("200") {
        bail!("the answer is {line:?}");
    }
    serde_json::from_slice(body).context("the answer is no status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn reads_an_answer_of_another_version() {
        for (body, apps) in [
            ("{}", 0),
            (r#"{"version":"9","apps":[{"name":"web","future":[1],"containers":[{"id":"a"}]}]}"#, 1),
            (r#"{"apps":[{"labels":["app=web"],"routed":null,"containers":[]},{}]}"#, 2),
        ] {
            let document = read(format!("HTTP/1.0 200 OK\r\nx: y\r\n\r\n{body}").as_bytes()).unwrap();
            assert_eq!(document.apps.len(), apps, "{body}");
        }
        for answer in [
            "",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.0 404 Not Found\r\n\r\n{}",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n[1]",
        ] {
            assert!(read(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[test]
    fn an_app_is_found_by_labels_and_a_container_by_id_or_name() {
        let container = |id: &str, created| Container {
            id: id.into(),
            name: format!("n-{id}"),
            created,
            ..Container::default()
        };
        let app = App {
            labels: vec!["app=web".into(), "stage".into()],
            routed: Some("bb".into()),
            containers: vec![container("cc", 3), container("bb", 2), container("aa", 1)],
            ..App::default()
        };
        let document = Document { apps: vec![app.clone()] };
        for (labels, found) in [
            (&["app=web"][..], true),
            (&["stage", "app=web"], true),
            (&["app"], false),
            (&["app=web", "x"], false),
        ] {
            let labels: Vec<Label> = labels.iter().map(|label| label.parse().unwrap()).collect();
            assert_eq!(document.with_labels(&labels).count() == 1, found, "{labels:?}");
        }
        let id = |container: Option<&Container>| container.map(|container| container.id.clone());
        assert_eq!(id(app.routed()), Some("bb".into()));
        assert_eq!(
            (id(app.container("a")), id(app.container("n-cc"))),
            (Some("aa".into()), Some("cc".into()))
        );
        assert_eq!(
            (id(app.newest_after(None)), id(app.newest_after(app.container("cc")))),
            (Some("cc".into()), None)
        );
    }

    #[tokio::test]
    async fn asks_over_tcp_and_says_who_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: ListenAddr = listener.local_addr().unwrap().to_string().parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"apps\":[{}]}").await.unwrap();
        });
        assert_eq!(ask(&address).await.unwrap().apps.len(), 1);
        server.await.unwrap();
        let error = format!("{:#}", ask(&address).await.unwrap_err());
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
