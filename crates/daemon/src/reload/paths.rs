//! The files that are watched, and what is known of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stamp::{Stamp, Stamps};

/// The files of a [`Watch`](super::Watch). Clones are the same files.
#[derive(Debug, Clone, Default)]
pub struct Paths(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// As the consumer read them last, whether or not it took them.
    known: Stamps,
    /// Those that had content when the consumer took them.
    full: BTreeSet<PathBuf>,
}

impl Paths {
    /// Watches these from now on, and no others. One that is new is watched as it is now, so this comes
    /// before it is read; one that is missing is watched for. Blocks for as long as stat(2) does.
    pub fn replace(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut inner = self.lock();
        let stamped = |path: PathBuf| {
            let known = inner.known.get(&path).cloned();
            (path.clone(), known.unwrap_or_else(|| Stamp::of(&path)))
        };
        let known: Stamps = paths.into_iter().map(stamped).collect();
        inner.full.retain(|path| known.contains_key(path));
        inner.known = known;
    }

    pub(super) fn known(&self) -> Stamps {
        self.lock().known.clone()
    }

    /// The files as they are now. On another thread: a network file system may let us wait.
    pub(super) async fn look(&self) -> Stamps {
        let known = self.known();
        let paths: Vec<PathBuf> = known.keys().cloned().collect();
        let stamp = move || paths.into_iter().map(|path| (path.clone(), Stamp::of(&path))).collect();
        // It fails when the runtime is going away, and then nothing has changed.
        tokio::task::spawn_blocking(stamp).await.unwrap_or(known)
    }

    /// The consumer is about to read what was seen.
    pub(super) fn know(&self, seen: Stamps) {
        let mut inner = self.lock();
        for (path, stamp) in seen {
            if let Some(known) = inner.known.get_mut(&path) {
                *known = stamp;
            }
        }
    }

    /// The consumer took what it read.
    pub(super) fn loaded(&self) {
        let mut inner = self.lock();
        let full = inner.known.iter().filter(|(_, stamp)| stamp.as_ref().is_some_and(|s| s.length > 0));
        inner.full = full.map(|(path, _)| path.clone()).collect();
    }

    /// A file that is empty and was not when it was taken.
    pub(super) fn emptied(&self) -> Option<PathBuf> {
        let inner = self.lock();
        let empty = |path: &&PathBuf| matches!(inner.known.get(*path), Some(Some(s)) if s.length == 0);
        inner.full.iter().find(empty).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        fs::write(&a, "content").unwrap();
        let paths = Paths::default();
        paths.replace([a.clone(), b.clone()]);
        paths.loaded();
        let before = paths.known();
        assert_eq!(before.values().map(Option::is_some).collect::<Vec<_>>(), [true, false]);

        fs::write(&a, "").unwrap();
        fs::write(&b, "content").unwrap();
        paths.replace([a.clone(), b, c]);
        let known = paths.known();
        assert_eq!(known.len(), 3);
        assert!(before.iter().all(|(path, stamp)| known[path] == *stamp), "a change is still to be seen");

        assert_eq!(paths.emptied(), None);
        paths.know(Stamps::from([(a.clone(), Stamp::of(&a))]));
        assert_eq!(paths.emptied(), Some(a));
        paths.replace([]);
        assert_eq!(paths.emptied(), None);
    }
}
