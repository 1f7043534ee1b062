//! Leading a client back to a session that another process of this host has: after an upgrade of the gateway
//! its sessions live on in the old process, and resumes come to the new one.
//!
//! Each process listens on `DIR/<pid>.sock`. The one that has verified a client asks the others, on a connection
//! to each, a line of JSON there and a line back:
//!
//! ```text
//! {"v":1,"hash":[18,…],"received":5,"attempt":2,"destination":"db","user":"alice","method":"jwt","key":"1f0a…",
//!  "issuer":…,"subject":…,"email":…,"peer":"192.0.2.1:50000","forwarded_for":""}
//! {"v":1,"instance":12648430,"received":7}               the session waits for its new WebSocket, or:
//! {"v":1,"instance":12648430,"refused":"unknown"}        "foreign", "too-often", "stale", {"over":"finished"}
//! ```
//!
//! Then it writes the 101, and passes the connection: a last line, with the descriptor (SCM_RIGHTS, unix(7)), and
//! what had been read behind the client's head:
//!
//! ```text
//! {"v":1,"early":3}
//! ```
//!
//! What has another `v`, is too long, too late or wrong in any other way counts as not said; fields that are not
//! known are ignored. There is no secret in it: the session is named by the hash of its id. Both ends only speak
//! to processes of their own user.

mod bridge;
mod connection;
mod directory;
mod line;
mod message;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use daemon::listen::Listener;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

pub(crate) use bridge::bridge;
pub(crate) use connection::{into_descriptor, pass, receive};
pub(crate) use directory::Directory;
pub(crate) use message::{Answer, Ask, Wanted};

/// Each of the others has so long to answer.
const ANSWERED: Duration = Duration::from_millis(100);
/// So many resumes are asked about at once; more wait.
const ASKING: usize = 64;

/// The others, as this process sees them.
#[derive(Debug)]
pub(crate) struct Handover {
    directory: Directory,
    own: PathBuf,
    asking: Semaphore,
}

/// Who has the session, or remembers it.
pub(crate) struct Found {
    pub(crate) answer: Answer,
    /// Leads there.
    pub(crate) to: UnixStream,
}

impl Handover {
    /// Where the others will ask us, on a socket that is removed when it is dropped.
    ///
    /// # Errors
    /// If it cannot be bound.
    pub(crate) async fn listen(directory: Directory) -> Result<(Self, Listener)> {
        let (own, listener) = directory.bind().await?;
        Ok((Self { directory, own, asking: Semaphore::new(ASKING) }, listener))
    }

    /// Asks all the others at once; nothing if none of them knows the session.
    pub(crate) async fn ask(&self, ask: &Ask) -> Option<Found> {
        let line = line::of(ask).ok().filter(|line| line.len() <= message::LONGEST_ASK)?;
        let _permit = self.asking.acquire().await.ok()?;
        let (directory, own) = (self.directory.clone(), self.own.clone());
        let others = spawn_blocking(move || directory.others(&own)).await.ok()?;
        let mut asked = JoinSet::new();
        for path in others {
            let line = line.clone();
            asked.spawn(async move { timeout(ANSWERED, question(&path, &line)).await.ok().flatten() });
        }
        while let Some(answered) = asked.join_next().await {
            if let Ok(Some(found)) = answered {
                return Some(found);
            }
        }
        None
    }
}

/// What the process at `path` says, if it knows the session.
async fn question(path: &Path, ask: &[u8]) -> Option<Found> {
    let mut to = match UnixStream::connect(path).await {
        Ok(to) => to,
        Err(error) => {
            if error.kind() == ErrorKind::ConnectionRefused {
                directory::unlink(path);
            }
            return None;
        }
    };
    if !is_of_our_user(&to) {
        return None;
    }
    let answer = async {
        line::write(&mut to, ask).await?;
        Answer::read(&mut to).await
    };
    match answer.await {
        Ok(answer) if answer.is_unknown() => None,
        Ok(answer) => Some(Found { answer, to }),
        Err(error) => {
            let error = error.to_string();
            tracing::debug!(path = %path.display(), error, "no answer about a session");
            None
        }
    }
}

/// Whether a process of our own user is at the other end (SO_PEERCRED, unix(7)).
pub(crate) fn is_of_our_user(stream: &UnixStream) -> bool {
    match socket_peercred(stream) {
        Ok(peer) if peer.uid == geteuid() => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid.as_raw(), "somebody else is in the directory of --handover-dir");
            false
        }
        Err(_) => false,
    }
}
