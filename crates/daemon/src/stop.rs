//! Stopping, as a value passed down: tokens to hear, a tracker to wait on, one deadline at the top.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task that was told to end at once still gets, for its last frame and its log line.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How the process stops. Clones are the same stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled first: accept nothing new, turn readiness false, let what is open go on.
    pub draining: CancellationToken,
    /// Cancelled at the deadline or by a second signal: end what is open.
    pub now: CancellationToken,
    /// What is waited for. Only what the noun of [`Stop::on_signals`] counts belongs in here, no accept loop.
    pub tracker: TaskTracker,
    forced: Arc<OnceLock<How>>,
    overran: Arc<AtomicBool>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Everything that was open ended by itself.
    AllEnded,
    /// The shutdown timeout passed.
    Deadline,
    /// SIGTERM or SIGINT came once more.
    SecondSignal,
}

/// For the last line of the log.
impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::AllEnded => "everything has ended",
            How::Deadline => "the shutdown timeout has passed",
            How::SecondSignal => "a second signal came",
        })
    }
}

impl Stop {
    /// A stop that only its tokens bring about; for tests, and for programs inside programs.
    pub fn manual() -> Self {
        Stop {
            draining: CancellationToken::new(),
            now: CancellationToken::new(),
            tracker: TaskTracker::new(),
            forced: Arc::default(),
            overran: Arc::default(),
        }
    }

    /// A stop that SIGTERM and SIGINT bring about: the first one drains, for `shutdown_timeout` at most, a
    /// second one ends. `noun` is what is open, in the plural, for the one log line: "tunnels".
    ///
    /// Under start_server only SIGINT ends: at each HUP it sends SIGTERM to *all* its older workers, so that
    /// a worker that drains for hours gets one with every deploy.
    ///
    /// The signals are caught from now on, before anything is bound. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn on_signals(shutdown_timeout: Duration, noun: &'static str) -> io::Result<Self> {
        let mut signals = Signals::caught()?;
        let last = Last::here(|name| std::env::var_os(name));
        let stop = Stop::manual();
        let obeying = stop.clone();
        tokio::spawn(async move {
            let first = signals.next().await;
            obeying.drain(first, noun, last);
            let how = tokio::select! {
                () = signals.last(last) => How::SecondSignal,
                () = tokio::time::sleep(shutdown_timeout) => How::Deadline,
            };
            obeying.end(how);
        });
        Ok(stop)
    }

    fn drain(&self, signal: &'static str, noun: &str, last: Last) {
        let open = self.tracker.len();
        let how = match last {
            Last::Any => "once more",
            Last::Interrupt => "SIGINT",
        };
        tracing::info!(signal, open, "signal received, draining: {open} {noun} open; {how} ends them");
        self.draining.cancel();
    }

    fn end(&self, how: How) {
        let _ = self.forced.set(how);
        self.now.cancel();
    }

    /// Notes that something did not end by itself: what is open has a shorter time of its own, which was over.
    pub fn overran(&self) {
        self.overran.store(true, Ordering::Relaxed);
    }

    /// Waits until the process may end: first for the drain to begin, then until all that is tracked has
    /// ended, or was told to end at once and had a second to do it.
    pub async fn drained(&self) -> How {
        self.draining.cancelled().await;
        self.tracker.close();
        tokio::select! {
            () = self.tracker.wait() => {}
            () = self.now.cancelled() => {
                let _ = tokio::time::timeout(LAST_WORDS, self.tracker.wait()).await;
            }
        }
        if !self.now.is_cancelled() {
            let overran = self.overran.load(Ordering::Relaxed);
            return if overran { How::Deadline } else { How::AllEnded };
        }
        // Who cancels `now` by hand stands for the second signal.
        self.forced.get().copied().unwrap_or(How::SecondSignal)
    }
}

/// Which signal ends a process that drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// SIGTERM or SIGINT.
    Any,
    /// SIGINT: a SIGTERM that comes again is start_server's, and not meant as one more.
    Interrupt,
}

impl Last {
    /// Under start_server, which sets SERVER_STARTER_PORT even if there is no port, only SIGINT. `env` is the
    /// environment.
    pub fn here(env: impl Fn(&str) -> Option<OsString>) -> Self {
        if env("SERVER_STARTER_PORT").is_some() { Last::Interrupt } else { Last::Any }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn caught() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    async fn last(&mut self, last: Last) {
        while self.next().await != "SIGINT" && last == Last::Interrupt {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process;
    use tokio::sync::oneshot;

    #[tokio::test(start_paused = true)]
    async fn ends_when_all_have_ended() {
        let stop = Stop::manual();
        let (finish, finished) = oneshot::channel::<()>();
        stop.tracker.spawn(finished);
        let drained = tokio::spawn({
            let stop = stop.clone();
            async move { stop.drained().await }
        });
        stop.draining.cancel();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!drained.is_finished());
        finish.send(()).unwrap();
        assert_eq!(drained.await.unwrap(), How::AllEnded);
    }

    #[tokio::test]
    async fn what_had_to_be_ended_has_not_ended_by_itself() {
        let stop = Stop::manual();
        stop.draining.cancel();
        assert_eq!(stop.drained().await, How::AllEnded);
        stop.overran();
        assert_eq!(stop.drained().await, How::Deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_listen_delays_the_end_a_second() {
        let stop = Stop::manual();
        stop.tracker.spawn(std::future::pending::<()>());
        stop.draining.cancel();
        stop.end(How::Deadline);
        let asked = tokio::time::Instant::now();
        assert_eq!(stop.drained().await, How::Deadline);
        assert_eq!(asked.elapsed(), LAST_WORDS);
    }

    /// Signals go to the whole process, so each case is a process of its own: this test binary again.
    #[test]
    fn obeys_signals() {
        for (case, expected) in [
            ("idle", "AllEnded"),
            ("once", "Deadline"),
            ("twice", "SecondSignal"),
            ("terminated again under start_server", "AllEnded"),
            ("interrupted under start_server", "SecondSignal"),
        ] {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child
                .args(["--exact", "stop::tests::signalled", "--nocapture"])
                .env_remove("SERVER_STARTER_PORT")
                .env("DAEMON_TEST_STOP", case);
            if case.ends_with("start_server") {
                child.env("SERVER_STARTER_PORT", "");
            }
            let child = child.output().unwrap();
            let text = String::from_utf8_lossy(&child.stdout);
            assert!(
                child.status.success() && text.contains(&format!("ended by {expected}")),
                "{case}: {text}"
            );
        }
    }

    /// The child of [`obeys_signals`]; without its variable there is nothing to do.
    #[tokio::test]
    async fn signalled() {
        let Ok(case) = std::env::var("DAEMON_TEST_STOP") else { return };
        let timeout = if case == "once" { Duration::from_millis(1) } else { Duration::from_secs(3600) };
        let stop = Stop::on_signals(timeout, "tasks").unwrap();
        let finish = CancellationToken::new();
        if case != "idle" {
            let (now, finish) = (stop.now.clone(), finish.clone());
            stop.tracker.spawn(async move {
                tokio::select! {
                    () = now.cancelled() => {}
                    () = finish.cancelled() => {}
                }
            });
        }
        process::kill_process(process::getpid(), process::Signal::TERM).unwrap();
        stop.draining.cancelled().await;
        let again = |signal| process::kill_process(process::getpid(), signal).unwrap();
        match case.as_str() {
            "twice" | "interrupted under start_server" => again(process::Signal::INT),
            "terminated again under start_server" => {
                // A listener of its own tells that the second one was delivered, and to everybody.
                let mut delivered = signal(SignalKind::terminate()).unwrap();
                again(process::Signal::TERM);
                delivered.recv().await;
                tokio::task::yield_now().await;
                assert!(!stop.now.is_cancelled(), "it goes on draining");
                finish.cancel();
            }
            _ => {}
        }
        println!("ended by {:?}", stop.drained().await);
    }
}
