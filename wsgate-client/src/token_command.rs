//! `--token-command`: a command whose output is the token.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, copy, sink};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::held::{BadToken, Held};
use crate::keeper::Source;
use crate::source::SourceError;

/// How long the command may run.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of its output is read, in bytes: the longest token, and space around it.
const LONGEST_OUTPUT: u64 = token::MAX_TOKEN as u64 + 1024;

/// A command for `sh -c`. It may hold a secret, and is shown nowhere.
pub(crate) struct TokenCommand {
    command: String,
    limit: Duration,
}

/// Why a command gave no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("sh cannot be run")]
    Start(#[source] std::io::Error),
    #[error("its output cannot be read")]
    Read(#[source] std::io::Error),
    #[error("the command did not end within {0:?}; it was killed")]
    TimedOut(Duration),
    /// What it wrote to stderr is not shown: it may be a secret too (`set -x`).
    #[error("the command failed, {0}; run it by hand to see why")]
    Failed(ExitStatus),
    #[error("the command's output {0}")]
    Output(#[from] BadToken),
    #[error("the command's output is no text")]
    NoText,
}

impl TokenCommand {
    pub(crate) fn new(command: &str) -> Self {
        Self { command: command.to_owned(), limit: LIMIT }
    }

    async fn run(&self) -> Result<String, CommandError> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running(command.spawn().map_err(CommandError::Start)?);
        let finished = timeout(self.limit, running.finish()).await;
        let (status, output) = finished.map_err(|_| CommandError::TimedOut(self.limit))??;
        if !status.success() {
            return Err(CommandError::Failed(status));
        }
        String::from_utf8(output).map_err(|_| CommandError::NoText)
    }
}

impl Source for TokenCommand {
    async fn token(&self, now: SystemTime) -> Result<Held, SourceError> {
        let output = self.run().await?;
        Ok(Held::any(output.trim(), now).map_err(CommandError::from)?)
    }

    fn name(&self) -> String {
        "--token-command".into()
    }
}

/// Leaves the command out.
impl std::fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCommand")
    }
}

/// A command and what it has started; all of it ends with this.
struct Running(Child);

impl Running {
    /// Reads all output, which a child of the command may write, and only then asks how the command ended:
    /// until somebody has asked its process id is its own.
    async fn finish(&mut self) -> Result<(ExitStatus, Vec<u8>), CommandError> {
        let stdout = self.0.stdout.take();
        let read = async {
            let output = start_of(stdout, LONGEST_OUTPUT).await?;
            Ok((self.0.wait().await?, output))
        };
        read.await.map_err(CommandError::Read)
    }
}

impl Drop for Running {
    /// A process that was waited for has no id any more, which may be another's by now.
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL); // it may have ended
        }
    }
}

/// At most `longest` bytes; the rest is read and forgotten, so that nobody waits for a full pipe.
async fn start_of(pipe: Option<impl AsyncRead + Unpin>, longest: u64) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(start) };
    (&mut pipe).take(longest).read_to_end(&mut start).await?;
    copy(&mut pipe, &mut sink()).await?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(error: impl Into<anyhow::Error>) -> String {
        format!("{:#}", error.into())
    }

    #[tokio::test]
    async fn the_output_is_the_token() {
        for (command, token) in [
            ("echo opaque", "opaque"),
            ("printf '\\n  a.b.c \\n\\n'", "a.b.c"),
            ("echo noise >&2; echo quiet", "quiet"),
            ("head -c 100000 /dev/zero >&2; echo patient", "patient"),
        ] {
            let held = TokenCommand::new(command).token(SystemTime::now()).await.unwrap();
            assert_eq!(held.bearer, format!("Bearer {token}"), "{command}");
        }
    }

    #[tokio::test]
    async fn a_command_without_a_token_is_told_without_its_output() {
        for (command, says) in [
            ("true", "the command's output is empty"),
            ("echo sesame two", "not the only word"),
            ("head -c 9000 /dev/zero | tr '\\0' a", "longer than 8192 bytes"),
            ("head -c 90000 /dev/zero | tr '\\0' a", "longer than 8192 bytes"),
            ("printf 'sesame\\377'", "no text"),
            ("echo sesame; echo sesame >&2; exit 3", "exit status: 3; run it by hand"),
            ("kill -9 $$", "signal: 9"),
            ("sesame-is-no-program", "exit status: 127"),
        ] {
            let error = TokenCommand::new(command).token(SystemTime::now()).await.unwrap_err();
            let error = chain(error);
            assert!(error.starts_with("--token-command: ") && error.contains(says), "{command}: {error}");
            assert!(!error.contains("sesame"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let files = tempfile::tempdir().unwrap();
        for then in ["wait", "echo token"] {
            let pid = files.path().join("pid");
            let command = format!("sleep 1000 & echo $! > {}; {then}", pid.display());
            let command = TokenCommand { command, limit: Duration::from_secs(1) };
            is_killed(command, &pid).await;
        }
    }

    async fn is_killed(command: TokenCommand, pid: &std::path::Path) {
        let error = chain(command.token(SystemTime::now()).await.unwrap_err());
        assert!(error.contains("did not end within 1s"), "{error}");
        let child: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        for _ in 0..200 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{child} lives");
    }
}
