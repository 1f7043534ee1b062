//! A child process that does not outlive its guard.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, setpriority_process};
use serde_json::Value;

use crate::eventually::within;

/// The highest of nice(1).
const FIRST: i32 = -20;

/// A running child, what it wrote so far, and how it is ended.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: Written,
    stderr: Written,
    last_wish: Signal,
}

impl Process {
    /// Starts `command` with its outputs collected. On drop it is killed, by its pid.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Process {
        Process::spawn_into(name, command, Stdio::piped())
    }

    /// As [`Process::spawn`], with stdout going where the test wants it; it is collected when it is a pipe of
    /// this process's making.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn spawn_into(name: &str, command: &mut Command, stdout: impl Into<Stdio>) -> Process {
        let mut child = command
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()); // a Command keeps what it was given open
        let stdout = child.stdout.take().map_or_else(Written::nothing, Written::collect);
        let stderr = Written::collect(child.stderr.take().expect("stderr is a pipe"));
        Process { name: name.to_owned(), child, stdout, stderr, last_wish: Signal::KILL }
    }

    /// On drop send SIGTERM first, for programs that have children to take with them.
    pub fn ends_by_term(mut self) -> Process {
        self.last_wish = Signal::TERM;
        self
    }

    /// Lets it run as soon as it may, whatever else the machine does: for what is measured of a program that mostly
    /// sleeps. Without the right to it (CAP_SYS_NICE) nothing changes.
    pub fn hurry(&self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let _ = setpriority_process(pid, FIRST);
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; does nothing when the process has been waited for.
    pub fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            send(self.pid(), signal);
        }
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The events it logged so far with `--log-format json`.
    pub fn events(&self) -> Vec<Event> {
        self.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).map(Event).collect()
    }

    /// Those events whose message is `message`.
    pub fn events_of(&self, message: &str) -> Vec<Event> {
        self.events().into_iter().filter(|event| event.text("message").as_deref() == Some(message)).collect()
    }

    /// Whether it warned with a message that contains this text.
    pub fn warned(&self, text: &str) -> bool {
        let events = self.events();
        events.iter().any(|e| e.level() == "warn" && e.text("message").is_some_and(|m| m.contains(text)))
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Waits for its end and returns the exit status.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let status = within(limit, &what, || self.exited());
        self.stderr.finished();
        self.stdout.finished();
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exited().is_none() {
            send(self.pid(), self.last_wish);
            if self.last_wish != Signal::KILL {
                for _ in 0..300 {
                    if self.exited().is_some() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            let tail = last_lines(&self.stderr(), 60);
            #[expect(clippy::print_stderr, reason = "the failing test's report is where this belongs")]
            {
                eprintln!("--- {} (pid {}) wrote to stderr:\n{tail}---", self.name, self.pid());
            }
        }
    }
}

/// Sends a signal to a process that this test started, directly or through a supervisor.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id is positive");
    let _ = kill_process(pid, signal); // it may have just ended
}

/// One JSON line of a program's log.
#[derive(Debug, Clone)]
pub struct Event(Value);

impl Event {
    /// How important it is, in small letters.
    pub fn level(&self) -> String {
        self.text("level").unwrap_or_default().to_lowercase()
    }

    /// A field of the event, wherever the subscriber put it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        [&self.0["fields"][name], &self.0[name], &self.0["span"][name]].into_iter().find(|v| !v.is_null())
    }

    /// A field as text; numbers are shown.
    pub fn text(&self, name: &str) -> Option<String> {
        self.field(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// A field as a number; text that is one counts.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name).and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()))
    }
}

/// Everything that came out of one pipe.
#[derive(Debug, Clone)]
struct Written {
    bytes: Arc<Mutex<(Vec<u8>, bool)>>,
}

impl Written {
    fn collect(mut pipe: impl Read + Send + 'static) -> Written {
        let bytes = Arc::new(Mutex::new((Vec::new(), false)));
        let ours = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut piece = [0; 16 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                ours.lock().unwrap_or_else(PoisonError::into_inner).0.extend_from_slice(&piece[..count]);
            }
            ours.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        });
        Written { bytes }
    }

    fn nothing() -> Written {
        Written { bytes: Arc::new(Mutex::new((Vec::new(), true))) }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes.0).into_owned()
    }

    /// Waits (a moment, on a busy machine: a grandchild may hold the pipe) until the end of the pipe was seen.
    fn finished(&self) {
        for _ in 0..1000 {
            if self.bytes.lock().unwrap_or_else(PoisonError::into_inner).1 {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| format!("{line}\n")).collect()
}
