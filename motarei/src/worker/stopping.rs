//! Ending the container with the tool that has started it.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use super::Event;
use super::command::Tool;

/// What the tool and its engine may take beyond the container's own time.
const OVERHEAD: Duration = Duration::from_secs(10);

/// A container that was only being made when it was stopped runs all the same: it is stopped again.
const AGAIN: Duration = Duration::from_secs(1);

/// Stops the container `id` until our command has ended, and us with it. `patience` is what it has before it is
/// killed.
pub(crate) async fn stop(tool: Tool, id: String, patience: Duration, tell: UnboundedSender<Event>) {
    loop {
        if !call(tool.stop(&id, patience), patience + OVERHEAD).await {
            let _ = tell.send(Event::NotStopped);
        }
        sleep(AGAIN).await;
    }
}

/// Kills the container `id`, if it is known, and then the command.
pub(crate) async fn kill(tool: Tool, id: Option<String>, tell: UnboundedSender<Event>) {
    if let Some(id) = id {
        call(tool.kill(&id), OVERHEAD).await;
    }
    // The command ends with its container, if that could be killed.
    sleep(AGAIN).await;
    let _ = tell.send(Event::NotKilled);
}

/// Whether it succeeded in time.
async fn call(argv: Vec<OsString>, limit: Duration) -> bool {
    let Some((program, arguments)) = argv.split_first() else { return false };
    let mut command = Command::new(program);
    // It says the container's name to stdout, which is the application's.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).kill_on_drop(true);
    let ended = timeout(limit, command.status()).await;
    let trouble = match ended {
        Ok(Ok(status)) if status.success() => return true,
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} s", limit.as_secs()),
    };
    let command: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
    tracing::warn!(command = command.join(" "), %trouble, "it did not succeed");
    false
}
