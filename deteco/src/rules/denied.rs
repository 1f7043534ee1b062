//! The deny list as a file that may be replaced by a bad one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::{Context, Result, anyhow, bail};

use crate::DenyList;
use crate::file::File;

/// The list in force, and the file that it was read from.
#[derive(Clone, Debug, Default)]
pub(super) struct Denied {
    pub(super) list: DenyList,
    path: Option<PathBuf>,
    /// There was something in the file: an empty one after it is a mistake.
    had_content: bool,
    state: Arc<DenyListState>,
}

/// Whether the deny list in force is the one that the file says; for metrics.
#[derive(Debug, Default)]
pub struct DenyListState {
    stale: AtomicBool,
}

impl DenyListState {
    /// The file could not be used when it was read last, and what was read before stays in force.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }
}

impl Denied {
    /// As `file` names it.
    ///
    /// # Errors
    /// `FILE:LINE: what` of the list.
    pub(super) fn read(file: &File) -> Result<Self> {
        let Some(path) = &file.deny_file else { return Ok(Denied::default()) };
        let at = file.source.at(&path.span());
        Denied::default().next(path.get_ref()).with_context(|| format!("{at}: deny_file"))
    }

    /// After a reload. A bad list does not stop it: what was denied stays denied, and the rest is in force.
    pub(super) fn reread(&self, file: &File) -> Self {
        let Some(path) = &file.deny_file else {
            self.state.stale.store(false, Relaxed);
            return Denied { state: self.state.clone(), ..Denied::default() };
        };
        let next = self.next(path.get_ref());
        self.state.stale.store(next.is_err(), Relaxed);
        next.unwrap_or_else(|error| {
            let error = format!("{error:#}");
            tracing::error!(error, "the deny list is not reloaded, the old one stays");
            self.clone()
        })
    }

    pub(super) fn state(&self) -> Arc<DenyListState> {
        self.state.clone()
    }

    fn next(&self, path: &Path) -> Result<Self> {
        let named = path.display();
        let text = fs::read_to_string(path).with_context(|| named.to_string())?;
        if text.is_empty() && self.had_content && self.path.as_deref() == Some(path) {
            bail!("{named}: the file has become empty; to deny nobody, leave a comment in it");
        }
        let list = text
            .parse()
            .map_err(|error: crate::DenyListError| anyhow!("{named}:{}: {}", error.line, error.what))?;
        let (path, had_content) = (Some(path.to_owned()), !text.is_empty());
        Ok(Denied { list, path, had_content, state: self.state.clone() })
    }
}
