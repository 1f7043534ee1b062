//! Which container is ours: the one whose id the tool writes, else the only new one of the label.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, interval};

use super::Event;
use super::newer::Newer;
use super::state_dir::{Claim, StateDir};

/// How often the file is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// How long a script has to write it.
const PATIENCE: Duration = Duration::from_secs(10);

const SEVERAL: &str = "no id came in MOTAREI_CIDFILE, and several containers have come with the label: the first one \
                       is taken for ours to see what is newer, and the command is told when that serves";

/// Our container.
#[derive(Debug)]
pub(crate) struct Mine {
    pub(crate) id: String,
    /// So that no other worker takes it for its own.
    _claim: Option<Claim>,
}

/// Looks for it.
#[derive(Debug)]
pub(crate) struct Finder {
    pub(crate) cidfile: std::path::PathBuf,
    /// If the file comes for certain, it is waited for as long as an image may have to be pulled.
    pub(crate) certain: bool,
    /// When the command was started.
    pub(crate) since: SystemTime,
    pub(crate) state: StateDir,
    pub(crate) newer: Newer,
}

impl Finder {
    /// Tells when it is found; before that perhaps that it cannot be.
    pub(crate) async fn run(mut self, tell: UnboundedSender<Event>) {
        let (start, mut again, mut searched) = (Instant::now(), interval(LOOK), self.certain);
        loop {
            again.tick().await;
            if let Some(id) = read(&self.cidfile) {
                let claim = self.state.claim(&id).unwrap_or_else(|error| {
                    tracing::warn!(%error, "our container is not claimed");
                    None
                });
                return found(&tell, Mine { id, _claim: claim });
            }
            if !searched && start.elapsed() >= PATIENCE {
                searched = true;
                match self.search().await {
                    Ok((mine, 0)) => return found(&tell, mine),
                    Ok((mine, others)) => {
                        let container = super::short(&mine.id);
                        tracing::warn!(container, others, "{SEVERAL}");
                        let _ = tell.send(Event::Presumed(mine));
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(%error, "it is not known which container is ours: it is not protected");
                        let _ = tell.send(Event::Lost);
                    }
                }
            }
        }
    }

    /// The first container of the label that was created since, and is nobody else's; also how many others there
    /// are: a newer generation may have been started within our patience.
    async fn search(&mut self) -> Result<(Mine, usize)> {
        let created = self.newer.created_since(self.since).await;
        let created = created.context("no id came in MOTAREI_CIDFILE, and the engine cannot be asked")?;
        let mut free = Vec::new();
        for id in created {
            if let Some(claim) = self.state.claim(&id)? {
                free.push(Mine { id, _claim: Some(claim) });
            }
        }
        let others = free.len().saturating_sub(1);
        match free.into_iter().next() {
            Some(mine) => Ok((mine, others)),
            None => bail!("no id came in MOTAREI_CIDFILE, and no container has come with the label"),
        }
    }
}

fn found(tell: &UnboundedSender<Event>, mine: Mine) {
    // Nobody listens any more if we are to end.
    let _ = tell.send(Event::Found(mine));
}

/// The id in the file, if it has been written to its end.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let id = text.trim();
    let whole = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::tests::FakeEngine;

    #[tokio::test]
    async fn of_several_that_have_come_the_first_is_presumed() {
        let engine = FakeEngine::start(&["b", "a"]);
        let directory = engine.directory.path();
        let host = format!("unix://{}/s", directory.display());
        let mut finder = Finder {
            cidfile: directory.join("cid"),
            certain: false,
            since: SystemTime::UNIX_EPOCH,
            state: StateDir::at(directory.join("state")).unwrap(),
            newer: Newer::new(&["app=web".parse().unwrap()], Some(&host)),
        };
        let (mine, others) = finder.search().await.unwrap();
        assert_eq!((mine.id.as_str(), others), ("a", 1));
        let (theirs, others) = finder.search().await.unwrap();
        assert_eq!((theirs.id.as_str(), others), ("b", 0), "what is claimed is nobody else's");
        assert!(finder.search().await.is_err());
    }

    #[test]
    fn an_id_is_read_when_it_is_whole() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("cid");
        assert_eq!(read(&path), None);
        let id = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (String::new(), None),
            (id[..63].to_owned(), None),
            (id.clone(), Some(&id)),
            (format!("{id}\n"), Some(&id)),
            (id.replace('0', "g"), None),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(&path).as_ref(), expected, "{text}");
        }
    }
}
