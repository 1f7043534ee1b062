//! The directory that the workers of one user share: ids of containers, and who claims them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

/// What is older has not just been made.
const YOUNG: Duration = Duration::from_secs(60);

/// A directory that nobody else can write to.
#[derive(Clone, Debug)]
pub(crate) struct StateDir(PathBuf);

impl StateDir {
    /// /run/wsgate/run for root, else a directory in XDG_RUNTIME_DIR, else one in /tmp.
    ///
    /// # Errors
    /// If it cannot be made, or is somebody else's.
    pub(crate) fn open(env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let uid = geteuid();
        let path = match env("XDG_RUNTIME_DIR").filter(|path| path.starts_with('/')) {
            _ if uid.is_root() => PathBuf::from("/run/wsgate/run"),
            Some(runtime) => Path::new(&runtime).join("wsgate-run"),
            None => std::env::temp_dir().join(format!("wsgate-run-{}", uid.as_raw())),
        };
        if uid.is_root() {
            // The proxy's status socket is there too, for whoever may ask.
            fs::create_dir_all("/run/wsgate").context("/run/wsgate")?;
        }
        let dir = Self::at(path)?;
        dir.sweep();
        Ok(dir)
    }

    pub(super) fn at(path: PathBuf) -> Result<Self> {
        let shown = || path.display().to_string();
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).with_context(shown);
            }
            _ => {}
        }
        let found = fs::symlink_metadata(&path).with_context(shown)?;
        if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
            bail!("{}: it must be a directory that only you can write to", path.display());
        }
        Ok(Self(path))
    }

    /// Removes what workers have left that were killed.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let (stem, kind) = (path.file_stem(), path.extension());
            let Some(stem) = stem.and_then(|stem| stem.to_str()) else { continue };
            let is_young = entry
                .metadata()
                .and_then(|of| of.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age < YOUNG));
            match kind.and_then(|kind| kind.to_str()) {
                // Whoever has just made it is about to lock it.
                Some("lock") if !is_young => drop(self.claim(stem)),
                Some("cid") if !Path::new("/proc").join(stem).exists() => drop(Cidfile(self.0.join(name))),
                _ => {}
            }
        }
    }

    /// A path for this process alone, where nothing is.
    ///
    /// # Errors
    /// If something is there that cannot be removed.
    pub(crate) fn cidfile(&self) -> Result<Cidfile> {
        let path = self.0.join(format!("{}.cid", std::process::id()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| path.display().to_string())
            }
            _ => Ok(Cidfile(path)),
        }
    }

    /// Claims the container `id`; nothing if another worker has.
    ///
    /// # Errors
    /// If the lock file cannot be made.
    pub(crate) fn claim(&self, id: &str) -> io::Result<Option<Claim>> {
        let path = self.0.join(format!("{id}.lock"));
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Who had it before has removed it meanwhile: it means nothing any more.
                Ok(()) if file.metadata()?.nlink() == 0 => {}
                Ok(()) => return Ok(Some(Claim { path, _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Where the id of our container is written; removed in the end.
#[derive(Debug)]
pub(crate) struct Cidfile(pub(crate) PathBuf);

impl Drop for Cidfile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A container is ours for as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _file: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before it is unlocked, so that nobody locks a file that is about to go.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_container_is_claimed_once() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("d")).unwrap();
        let claim = dir.claim("c1").unwrap().expect("it is free");
        assert!(dir.claim("c1").unwrap().is_none() && dir.claim("c2").unwrap().is_some());
        drop(claim);
        assert!(dir.claim("c1").unwrap().is_some());
        assert_eq!(fs::read_dir(temp.path().join("d")).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn the_path_for_an_id_is_free_and_freed() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("d")).unwrap();
        let path = dir.cidfile().unwrap().0.clone();
        fs::write(&path, "a former process of this number").unwrap();
        let cidfile = dir.cidfile().unwrap();
        assert!(cidfile.0 == path && !path.exists());
        fs::write(&path, "c1").unwrap();
        drop(cidfile);
        assert!(!path.exists());
    }

    #[test]
    fn what_killed_workers_have_left_is_swept() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("d")).unwrap();
        let old = std::time::SystemTime::now() - YOUNG * 2;
        let claim = dir.claim("held").unwrap().expect("it is free");
        claim._file.set_modified(old).unwrap();
        let own = format!("{}.cid", std::process::id());
        for name in ["young.lock", "left.lock", "4194305.cid", &own, "other"] {
            fs::write(dir.0.join(name), "").unwrap();
        }
        File::options().write(true).open(dir.0.join("left.lock")).unwrap().set_modified(old).unwrap();
        dir.sweep();
        let mut left: Vec<_> =
            fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let mut expected = [own.as_str(), "held.lock", "other", "young.lock"];
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_directory_of_others_is_not_used() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        symlink(temp.path(), at("link")).unwrap();
        fs::write(at("file"), "").unwrap();
        for (name, good) in
            [("open", false), ("link", false), ("file", false), ("new", true), ("no/parent", false)]
        {
            assert_eq!(StateDir::at(at(name)).is_ok(), good, "{name}");
        }
        assert!(StateDir::at(at("new")).is_ok(), "it may be there before");
    }
}
