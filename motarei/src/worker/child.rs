//! The command that was given, as a process.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use super::death_signal;

/// The environment's name for the file into which a script has the container's id written.
const CIDFILE: &str = "MOTAREI_CIDFILE";

/// A running command, the leader of a process group of its own: a terminal's ^C is for us alone to pass on.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
}

impl Child {
    /// Starts `argv`, which is not empty, and must be called on the main thread.
    ///
    /// # Errors
    /// If it cannot be started; [`status_of`] is the exit status for that.
    pub(crate) fn start(argv: &[OsString], cidfile: &Path) -> io::Result<Self> {
        let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).env(CIDFILE, cidfile).process_group(0);
        death_signal::arm(&mut command, Signal::TERM);
        let process = command.spawn()?;
        let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { process, group })
    }

    /// Its exit status, as a shell says it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub(crate) async fn ended(&mut self) -> io::Result<u8> {
        Ok(status(self.process.wait().await?))
    }

    /// Sends `signal` to it and to what it has started: a script may not pass it on.
    pub(crate) fn tell(&self, signal: Signal) {
        // Its id is nobody else's, since it is not waited for yet.
        if let (Some(group), Some(_)) = (self.group, self.process.id()) {
            let told = kill_process_group(group, signal);
            tracing::debug!(?signal, ?told, "passed on");
        }
    }
}

/// 128+n for a signal. An exit status is a byte.
fn status(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// What a shell says of a program that it cannot start: 127 if there is none, else 126.
pub(crate) fn status_of(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(argv: &[&str]) -> io::Result<Child> {
        let argv: Vec<_> = argv.iter().map(OsString::from).collect();
        Child::start(&argv, Path::new("/p"))
    }

    #[tokio::test]
    async fn the_status_is_that_of_a_shell() {
        for (script, expected) in [
            ("exit 0", 0),
            ("exit 125", 125),
            ("exit 255", 255),
            ("kill -TERM $$", 143),
            ("kill -KILL $$", 137),
            ("test \"$MOTAREI_CIDFILE\" = /p", 0),
        ] {
            assert_eq!(start(&["sh", "-c", script]).unwrap().ended().await.unwrap(), expected, "{script}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_started_has_a_status_too() {
        for (program, expected) in
            [("/no/such/program", 127), ("no-such-program", 127), ("/etc/passwd", 126), ("/", 126)]
        {
            assert_eq!(status_of(&start(&[program]).unwrap_err()), expected, "{program}");
        }
    }

    #[tokio::test]
    async fn a_signal_reaches_what_a_script_has_started() {
        let mut child = start(&["sh", "-c", "sleep 3600; exit 7"]).unwrap();
        child.tell(Signal::TERM);
        assert_eq!(child.ended().await.unwrap(), 143);
        child.tell(Signal::KILL);
    }

    #[tokio::test]
    async fn it_is_told_when_we_die() {
        // The field is not in proc(5); prctl itself is asked, by a program that is everywhere.
        let script = r#"exec perl -e '$s = pack("i", 0); syscall(157, 2, $s); exit unpack("i", $s)'"#;
        if cfg!(target_arch = "x86_64") {
            assert_eq!(start(&["sh", "-c", script]).unwrap().ended().await.unwrap(), 15);
        }
    }
}
