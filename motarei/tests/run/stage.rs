//! What a worker has around it.
#![allow(clippy::unwrap_used)] // a test ends where its stage breaks

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The container's.
pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Writes down how it is called. `run` lives until the file `ended` is there, which `stop` makes, unless it is
/// deaf, and `kill`.
const DOCKER: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> calls
while [ $# -gt 0 ]; do
    case $1 in
    run) break ;;
    stop) [ -e deaf ] || touch ended; exit ;;
    kill) touch ended; exit ;;
    esac
    shift
done
for name in HUP QUIT WINCH; do trap "echo got $name >> calls" $name; done
trap 'echo got TERM >> calls; exit 143' TERM
while shift; do
    case $1 in
    --cidfile) printf %s ID > "$2" ;;
    --label) ;;
    *) break ;;
    esac
    shift
done
[ "$1" = exits ] && exit "$2"
while [ ! -e ended ]; do sleep 0.02; done
"#;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Stage {
    dir: tempfile::TempDir,
    proxy: Proxy,
    worker: Option<Child>,
    log: Arc<Mutex<String>>,
}

/// What it says, and how often it was asked.
#[derive(Clone, Debug, Default)]
struct Proxy {
    document: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let docker = dir.path().join("docker");
        fs::write(&docker, DOCKER.replace(" ID ", &format!(" {ID} "))).unwrap();
        fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
        let proxy = Proxy::default();
        let listener = UnixListener::bind(dir.path().join("status")).unwrap();
        thread::spawn({
            let proxy = proxy.clone();
            move || proxy.answer(&listener)
        });
        Self { dir, proxy, worker: None, log: Arc::default() }
    }

    /// `ID` in `document` is ours.
    pub(crate) fn proxy_says(&self, document: &str) {
        *self.proxy.document.lock().unwrap() = document.replace("\"ID\"", &format!("\"{ID}\""));
    }

    pub(crate) fn is_deaf(&self) {
        fs::write(self.path("deaf"), "").unwrap();
    }

    pub(crate) fn start(&mut self, command: &[&str]) {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        let status = format!("unix:{}", self.path("status").display());
        let mut motarei = Command::new(env!("CARGO_BIN_EXE_motarei"));
        motarei
            .args(["run", "--label", "app=web", "--settle", "1s", "--status", &status, "--"])
            .args(command);
        motarei.env("PATH", path).env("DOCKER_HOST", "unix:///no/such/engine").stdin(Stdio::null());
        let mut worker = motarei.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = worker.stderr.take().unwrap();
        self.worker = Some(worker);
        let log = self.log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().unwrap().push_str(&(line + "\n"));
            }
        });
    }

    pub(crate) fn was_logged(&self, part: &str) -> bool {
        self.log.lock().unwrap().contains(part)
    }

    /// Until there is a line with both.
    pub(crate) fn until_logged(&self, one: &str, other: &str) {
        eventually(&format!("{one} {other}"), || {
            let log = self.log.lock().unwrap();
            log.lines().any(|line| line.contains(one) && line.contains(other))
        });
    }

    /// Until the worker knows its container.
    pub(crate) fn until_known(&self) {
        eventually("it knows its container", || self.was_logged("this is ours"));
    }

    pub(crate) fn tell(&mut self, signal: Signal) {
        let id = self.worker.as_ref().expect("it was started").id();
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.worker.as_mut().expect("it was started").try_wait().unwrap().is_none()
    }

    /// As a shell says it.
    pub(crate) fn ended(&mut self) -> i32 {
        let worker = self.worker.as_mut().expect("it was started");
        let mut status = None;
        eventually("it ends", || {
            status = worker.try_wait().unwrap();
            status.is_some()
        });
        let shell = |status: ExitStatus| status.code().or_else(|| Some(128 + status.signal()?));
        status.and_then(shell).expect("it has ended")
    }

    pub(crate) fn was_called(&self, part: &str) -> bool {
        fs::read_to_string(self.path("calls")).unwrap_or_default().contains(part)
    }

    pub(crate) fn until_called(&self, part: &str) {
        eventually(part, || self.was_called(part));
    }

    /// Tells it again and again.
    pub(crate) fn tell_until_called(&mut self, signal: Signal, part: &str) {
        eventually(part, || {
            self.tell(signal);
            self.was_called(part)
        });
    }

    /// So many times from now on.
    pub(crate) fn until_asked(&self, times: usize) {
        let before = self.proxy.asked.load(Ordering::Relaxed);
        eventually("the proxy is asked", || self.proxy.asked.load(Ordering::Relaxed) >= before + times);
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // So that no docker outlives a test that has failed.
        let _ = fs::write(self.path("ended"), "");
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

impl Proxy {
    fn answer(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 24];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"GET /status HTTP/1.0\r\n\r\n");
            let document = self.document.lock().unwrap().clone();
            stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{document}").as_bytes()).unwrap();
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
