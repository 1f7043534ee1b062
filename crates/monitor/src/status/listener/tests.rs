use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use clap::Parser;
use daemon::GoDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::ask::{Reply, ask};
use crate::health::{HealthArgs, health};
use crate::plugin::{MackerelArgs, mackerel};
use crate::sample::{PROGRAM, Sample};

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    mackerel: MackerelArgs,
}

struct Bench {
    directory: tempfile::TempDir,
    status: Arc<Status>,
    until: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let status = Status::new(Arc::new(Sample::new().registry), (), CancellationToken::new());
        let directory = tempfile::tempdir().unwrap();
        Self { directory, status: Arc::new(status), until: CancellationToken::new() }
    }

    fn address(&self) -> ListenAddr {
        ListenAddr::Unix(self.directory.path().join("s.sock"))
    }

    async fn open(&self, busy: Busy) -> Result<StatusListener, ListenError> {
        StatusListener::open(Some(self.address()), Vec::new(), busy).await.map(Option::unwrap)
    }

    fn serve(&self, listener: StatusListener) -> tokio::task::JoinHandle<()> {
        tokio::spawn(listener.serve(self.status.clone(), self.until.clone()))
    }
}

/// Asks as the plugin does, beside the runtime.
async fn get(address: &ListenAddr, path: &'static str) -> Option<Reply> {
    let address = address.clone();
    let asking = move || ask(&address, path, Duration::from_secs(10)).reply().ok();
    tokio::task::spawn_blocking(asking).await.unwrap()
}

async fn eventually(address: &ListenAddr) -> Reply {
    let start = Instant::now();
    loop {
        match get(address, "/live").await {
            Some(reply) => return reply,
            None => assert!(start.elapsed() < Duration::from_secs(20), "nobody answers"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_until_it_is_told_to_end_and_leaves_nothing() {
    let bench = Bench::new();
    let serving = bench.serve(bench.open(Busy::Fails).await.unwrap());
    let ListenAddr::Unix(path) = bench.address() else { unreachable!() };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    for (path, part) in [
        ("/ready", "ready"),
        ("/mackerel", "sample-gate.sessions.open\t0\t"),
        ("/status", "{"),
        ("/", "<!doctype"),
    ] {
        let reply = get(&bench.address(), path).await.unwrap();
        assert!(reply.code == 200 && reply.body.starts_with(part), "{path}: {reply:?}");
    }
    assert!(head(&path, "/metrics").await.ends_with("\r\n\r\n"), "HEAD has no body");
    bench.until.cancel();
    serving.await.unwrap();
    assert!(!path.exists());
}

async fn head(path: &std::path::Path, of: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(format!("HEAD {of} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_checked_and_printed_by_the_subcommands() {
    let bench = Bench::new();
    let serving = bench.serve(bench.open(Busy::Fails).await.unwrap());
    let check = HealthArgs { status: Some(bench.address()), timeout: GoDuration(Duration::from_secs(10)) };
    for (drains, expected) in [(false, "OK: ready"), (true, "CRITICAL: not ready: draining")] {
        if drains {
            bench.status.draining.cancel();
        }
        let check = check.clone();
        let said = tokio::task::spawn_blocking(move || health(&check, PROGRAM)).await.unwrap();
        assert_eq!(said.text, format!("sample-gate {expected}\n"));
    }
    let flags = format!("mackerel --status {}", bench.address());
    let flags = Flags::try_parse_from(flags.split(' ')).unwrap();
    let said =
        tokio::task::spawn_blocking(move || mackerel(&flags.mackerel, &Sample::new().registry, |_| None));
    let said = said.await.unwrap();
    assert!(said.status == 0 && said.text.starts_with("s.sessions.open\t0\t"), "{said:?}");
    bench.until.cancel();
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_somebody_has_fails_or_is_waited_for() {
    let bench = Bench::new();
    let former = listen::bind(&bench.address()).await.unwrap();
    assert!(bench.open(Busy::with_inherited(false)).await.is_err());
    let waiting = bench.open(Busy::with_inherited(true)).await.unwrap();
    assert!(waiting.listeners().is_empty());
    let serving = bench.serve(waiting);
    drop(former);
    assert_eq!(eventually(&bench.address()).await.code, 200);
    bench.until.cancel();
    serving.await.unwrap();

    let former = listen::bind(&bench.address()).await.unwrap();
    let stopped = bench.serve(bench.open(Busy::WaitsQuietly).await.unwrap());
    stopped.await.unwrap();
    drop(former);
}

#[tokio::test(flavor = "multi_thread")]
async fn inherited_sockets_come_first_and_without_any_there_is_none() {
    let bench = Bench::new();
    let inherited = listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = inherited[0].to_string().parse().unwrap();
    let listener =
        StatusListener::open(Some(bench.address()), inherited, Busy::Fails).await.unwrap().unwrap();
    let serving = bench.serve(listener);
    assert_eq!(eventually(&address).await.body, "ok\n");
    assert!(get(&bench.address(), "/live").await.is_none());
    bench.until.cancel();
    serving.await.unwrap();
    assert!(StatusListener::open(None, Vec::new(), Busy::Fails).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_takes_one_place_and_not_for_long() {
    let bench = Bench::new();
    let serving = bench.serve(bench.open(Busy::Fails).await.unwrap());
    let ListenAddr::Unix(path) = bench.address() else { unreachable!() };
    let mut silent = Vec::new();
    for _ in 0..MOST - 1 {
        silent.push(UnixStream::connect(&path).await.unwrap());
    }
    assert_eq!(eventually(&bench.address()).await.code, 200);
    silent.push(UnixStream::connect(&path).await.unwrap());
    let mut late = UnixStream::connect(&path).await.unwrap();
    // It is closed without an answer; whether the request could be written does not matter.
    let _ = late.write_all(b"GET /live HTTP/1.0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = late.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{answer:?}");
    assert_eq!(eventually(&bench.address()).await.code, 200, "there is room again");
    drop(silent);
    bench.until.cancel();
    serving.await.unwrap();
}
