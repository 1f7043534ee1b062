//! The other proxies of a status path. A former generation carries its connections to their end while its
//! successor answers; so each process also answers at a path of its own, `PATH.PID`, as long as it lives, and
//! who asks counts the connections of all. There is no such thing for an address that is no path.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use relay::{Address, DialError};

use super::document::{App, Document};

/// A process that lives takes a connection at once, however busy it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the process `pid` answers as long as it lives.
pub(super) fn own(path: &Path, pid: u32) -> PathBuf {
    let mut own = path.as_os_str().to_owned();
    own.push(format!(".{pid}"));
    own.into()
}

/// Where other processes than `pid` answer, or have answered.
pub(super) fn others(path: &Path, pid: u32) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let is_other = |entry: &std::fs::DirEntry| {
        let other = entry.file_name();
        let other = other.to_str().and_then(|other| other.strip_prefix(name)?.strip_prefix('.'));
        other.and_then(|other| other.parse::<u32>().ok()).is_some_and(|other| other != pid)
            && entry.file_type().is_ok_and(|kind| kind.is_socket())
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(is_other).map(|entry| entry.path()).collect()
}

/// Whether nobody will answer there any more.
pub(super) async fn is_dead(path: &Path) -> bool {
    let error = match relay::dial(&Address::Unix(path.to_owned()), Some(PATIENCE)).await {
        Err(DialError::Refused(error)) => error,
        _ => return false,
    };
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
}

/// Removes what processes have left that were killed.
pub(super) async fn sweep(path: &Path) {
    for other in others(path, std::process::id()) {
        if is_dead(&other).await {
            // Another one may have removed it too.
            let _ = std::fs::remove_file(other);
        }
    }
}

impl Document {
    /// Adds what another process carries. A container may be that of an app with another name now.
    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.held += other.held;
        for (app, container) in
            other.apps.iter().flat_map(|app| app.containers.iter().map(move |one| (app, one)))
        {
            let ours = self.apps.iter_mut().flat_map(|app| {
                let App { name, containers, .. } = app;
                containers.iter_mut().map(|one| (&*name, one))
            });
            let same = ours.filter(|(_, ours)| ours.id == container.id);
            if let Some((_, ours)) = same.max_by_key(|(name, _)| **name == app.name) {
                ours.connections += container.connections;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Container;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn finds_the_others_and_sweeps_the_dead() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.sock");
        let bind = |name: &str| UnixListener::bind(directory.path().join(name)).unwrap();
        let _living = ["m.sock", "m.sock.7", "m.sock.8", "m.sock.x", "m.sock2.9", "n.sock.9"].map(bind);
        drop(bind("m.sock.10"));
        std::fs::write(directory.path().join("m.sock.11"), "").unwrap();
        let names = |pid| {
            let paths = others(&path, pid).into_iter();
            let mut names: Vec<_> = paths.map(|path| path.extension().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(7), ["10", "8"]);
        sweep(&path).await;
        assert_eq!(names(0), ["7", "8"]);
        assert!(directory.path().join("m.sock.11").exists(), "it is no socket");
        assert_eq!(own(&path, 7), directory.path().join("m.sock.7"));
    }

    #[test]
    fn adds_what_another_process_carries() {
        // An app's name, and its containers with their connections.
        type Apps<'a> = &'a [(&'a str, &'a [(&'a str, usize)])];
        let document = |apps: Apps<'_>| {
            let container = |(id, connections): &(&str, usize)| Container {
                id: (*id).to_owned(),
                connections: *connections,
                ..Container::default()
            };
            let app = |(name, containers): &(&str, &[(&str, usize)])| App {
                name: (*name).to_owned(),
                containers: containers.iter().map(container).collect(),
                ..App::default()
            };
            let connections =
                apps.iter().flat_map(|(_, containers)| *containers).map(|(_, count)| count).sum();
            Document { connections, held: 1, apps: apps.iter().map(app).collect(), ..Document::default() }
        };
        let ours: Apps<'_> = &[("web", &[("b", 1), ("a", 2)]), ("admin", &[("a", 4)])];
        for (theirs, expected, all) in [
            (&[][..], [1, 2, 4], 7),
            (&[("web", &[("a", 3)][..])], [1, 5, 4], 10),
            (&[("admin", &[("a", 3)])], [1, 2, 7], 10),
            (&[("renamed", &[("b", 3)])], [4, 2, 4], 10),
            (&[("web", &[("gone", 3)])], [1, 2, 4], 10),
        ] as [(Apps<'_>, [usize; 3], usize); 5]
        {
            let mut sum = document(ours);
            sum.add(&document(theirs));
            let each = sum.apps.iter().flat_map(|app| &app.containers).map(|container| container.connections);
            assert!(each.eq(expected), "{theirs:?}: {sum:?}");
            assert_eq!((sum.connections, sum.held), (all, 2), "{theirs:?}");
        }
    }
}
