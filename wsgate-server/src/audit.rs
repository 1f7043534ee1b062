//! `--audit-log`: who reached what, a JSON object a line.
//!
//! ```text
//! {"time":"2026-11-21T20:44:28.123Z","event":"open","session":"1f0a9c3e","seq":7,"user":"alice", …}
//! {"time":"2026-11-21T20:45:02.500Z","event":"close","session":"1f0a9c3e", … "up":120,"down":4096, …}
//! {"time":"2026-11-21T20:45:03.001Z","event":"refused","seq":8,"status":401,"refusal":"credential", …}
//! ```
//!
//! A line is appended by one write, so that two generations of the gateway may share a file. What cannot be
//! written to the file goes to stderr: no line is lost for want of a disk.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use daemon::log::Limited;
use rustix::fs::OFlags;

pub(crate) use line::{Bounded, Closed, Known, Line, Refused};

/// How often it is said that the file cannot be written.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Where audit lines go.
#[derive(Debug)]
pub struct Audit {
    path: Option<PathBuf>,
    out: Mutex<Out>,
}

#[derive(Debug)]
struct Out {
    file: Option<File>,
    /// The file may end within a line, and the next one must not be taken for its rest.
    torn: bool,
    said: Limited,
}

impl Audit {
    /// Appends to the file at `path`, which is made with mode 0640 if need be; without one, to stderr.
    ///
    /// # Errors
    /// If the file cannot be opened for that.
    pub fn open(path: Option<PathBuf>) -> Result<Self> {
        let file = path.as_deref().map(append_to).transpose()?;
        let out = Out { file, torn: false, said: Limited::new(SAID_EVERY) };
        Ok(Self { path, out: Mutex::new(out) })
    }

    /// Opens the file anew, since it may have been renamed.
    ///
    /// # Errors
    /// If it cannot be opened; then lines go where they went.
    pub fn reopen(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = append_to(path)?;
        let mut out = self.out();
        (out.file, out.torn) = (Some(file), false);
        Ok(())
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let text = line.render();
        let mut out = self.out();
        let Err(error) = out.append(&text) else { return };
        if let Some(left_out) = out.said.admit(Instant::now()) {
            let file = self.path.as_deref().unwrap_or(Path::new("")).display();
            tracing::warn!(%file, %error, left_out, "the audit log cannot be written, its lines go to stderr");
        }
        drop(out);
        to_stderr(&text);
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    /// A whole line, or an error.
    fn append(&mut self, line: &str) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            to_stderr(line);
            return Ok(());
        };
        let written = if self.torn {
            file.write_all(format!("\n{line}").as_bytes())
        } else {
            file.write_all(line.as_bytes())
        };
        self.torn = written.is_err();
        written
    }
}

/// Lines in one piece, as the log's are.
fn to_stderr(line: &str) {
    // There is nowhere left to say that stderr cannot be written.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Without blocking: a pipe that nobody reads is an error, and not the end of all tunnels.
fn append_to(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    // O_NOCTTY too: a terminal does not become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = options.custom_flags(flags).open(path);
    file.with_context(|| format!("--audit-log {}", path.display()))
}

#[cfg(test)]
mod tests;
