//! A running client with one forward, and what it logs.

use std::fmt::{Debug, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use daemon::argv::{self, Dash};
use daemon::reload::Watch;
use daemon::stop::{How, Stop};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use wsgate_client::{Args, Config, Forwards, Work, check, run};

use crate::soon;

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Stop,
    pub(crate) logs: Logs,
    running: JoinHandle<How>,
    _logging: DefaultGuard,
    files: TempDir,
}

impl Client {
    /// Listens on a free port for `url`. The test must be of one thread, or the logs are lost.
    pub(crate) async fn start(url: &str, flags: &[&str]) -> Self {
        Self::start_in(url, flags, &[]).await
    }

    /// With these environment variables, and no others.
    pub(crate) async fn start_in(url: &str, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let logs = Logs::default();
        let logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(logs.clone()));
        let files = tempfile::tempdir().unwrap();
        let map = files.path().join("map.txt");
        std::fs::write(&map, format!("127.0.0.1:0,{url}\n")).unwrap();
        let watch = Watch::new("map", [map.clone()]).refuse_empty();
        let (config, forwards) = bound_in(&map, flags, environment).await.unwrap();
        let address = forwards.addresses()[0];
        let stop = Stop::manual();
        let running = tokio::spawn(run(config, forwards, None, stop.clone(), Some(watch)));
        Self { address, stop, logs, running, _logging: logging, files }
    }

    /// Writes another map, which takes some seconds to be seen.
    pub(crate) fn remap(&self, text: &str) {
        std::fs::write(self.files.path().join("map.txt"), text).unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(self) -> How {
        soon(self.running).await.unwrap()
    }
}

pub(crate) fn configured(map: &Path, flags: &[&str]) -> anyhow::Result<Config> {
    configured_in(map, flags, &[])
}

pub(crate) fn configured_in(
    map: &Path,
    flags: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Config> {
    Ok(read(map, flags, environment)?.0)
}

/// A configuration with its map bound.
pub(crate) async fn bound(map: &Path, flags: &[&str]) -> anyhow::Result<(Config, Forwards)> {
    bound_in(map, flags, &[]).await
}

async fn bound_in(
    map: &Path,
    flags: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<(Config, Forwards)> {
    let (config, work) = read(map, flags, environment)?;
    let Work::Listen(map) = work else { unreachable!("there is a map") };
    let forwards = Forwards::bind(&config, &map).await?;
    Ok((config, forwards))
}

/// What `check URL` says, and whether all of it works.
pub(crate) async fn checked(url: &str, flags: &[&str]) -> (bool, String) {
    let line = ["wsgate-client", "check", url].into_iter().chain(flags.iter().copied());
    let args = argv::parse::<Args>(line.map(Into::into), Dash::Double).unwrap();
    let (config, work) = Config::from_args(args).unwrap();
    let Work::Check(gateway) = work else { unreachable!("it is asked for") };
    let mut said = Vec::new();
    let good = soon(check(&config, &gateway, &mut said)).await;
    (good, String::from_utf8(said).unwrap())
}

fn read(map: &Path, flags: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<(Config, Work)> {
    let map = map.to_str().unwrap();
    let line = ["wsgate-client", "--map", map].into_iter().chain(flags.iter().copied());
    let args = argv::parse::<Args>(line.map(Into::into), Dash::Double).unwrap();
    let variable = |name: &str| Some(environment.iter().find(|(key, _)| *key == name)?.1.to_owned());
    Config::in_environment(args, &variable)
}

/// The application sees a reset, and no byte before it.
pub(crate) async fn is_reset(mut local: TcpStream) {
    let error = soon(local.read(&mut [0])).await.expect_err("a reset, not an end of file");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Every event, of whatever level, as `message name=value ...`.
#[derive(Clone, Default)]
pub(crate) struct Logs {
    lines: Arc<Mutex<Vec<String>>>,
    more: Arc<Notify>,
}

impl Logs {
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub(crate) fn clear(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// Waits for a line with `part` in it, and gives it.
    pub(crate) async fn line(&self, part: &str) -> String {
        soon(async {
            loop {
                let more = self.more.notified();
                if let Some(line) = self.lines.lock().unwrap().iter().find(|line| line.contains(part)) {
                    return line.clone();
                }
                more.await;
            }
        })
        .await
    }
}

impl<S: tracing::Subscriber> Layer<S> for Logs {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
        self.more.notify_waiters();
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}").unwrap(),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        write!(self.0, " {}={value}", field.name()).unwrap();
        let mut source = value.source();
        while let Some(error) = source {
            write!(self.0, ": {error}").unwrap();
            source = error.source();
        }
    }
}
