//! The directory in which the gateways of one user find each other.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use daemon::listen::{self, ListenAddr, ListenError, Listener};
use rustix::process::geteuid;

/// So many of the others are asked. There are more only after as many upgrades within the life of a tunnel.
const MOST: usize = 8;
/// The longest path of a socket (unix(7)), its terminating zero not counted.
const LONGEST: usize = 107;
/// The longest name of a socket of ours.
const LONGEST_NAME: &str = "4294967295-ffffffff.sock";

/// A directory that nobody else can enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Directory {
    /// The one that was given, which is made if need be, else that of systemd if it will do. `env` is the
    /// environment.
    ///
    /// # Errors
    /// If the one that was given will not do; with the fix.
    pub(crate) fn choose(
        given: Option<PathBuf>,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>> {
        if let Some(path) = given {
            let made = DirBuilder::new().mode(0o700).create(&path);
            let there = |error: &std::io::Error| error.kind() == ErrorKind::AlreadyExists;
            let opened = match made {
                Err(error) if !there(&error) => Err(error.into()),
                _ => Self::open(&path),
            };
            return opened.with_context(|| format!("--handover-dir {}", path.display())).map(Some);
        }
        let Some(path) = env("RUNTIME_DIRECTORY").and_then(|paths| first(&paths)) else { return Ok(None) };
        match Self::open(&path) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) => {
                let (path, error) = (path.display(), format!("{error:#}"));
                tracing::warn!(
                    %path, error,
                    "no session is handed over after an upgrade: $RUNTIME_DIRECTORY will not do (see --handover-dir)"
                );
                Ok(None)
            }
        }
    }

    fn open(path: &Path) -> Result<Self> {
        // Whoever can move a link does not lead us elsewhere later.
        let path = fs::canonicalize(path)?;
        let found = fs::metadata(&path)?;
        let (us, shown) = (geteuid().as_raw(), path.display());
        if !found.is_dir() {
            bail!("it is not a directory");
        }
        if found.uid() != us {
            bail!("it belongs to user {}, and we are {us}: chown {us} {shown}", found.uid());
        }
        if found.mode() & 0o777 != 0o700 {
            bail!(
                "its mode is {:04o}, and nobody else may enter it: chmod 700 {shown}",
                found.mode() & 0o777
            );
        }
        if path.join(LONGEST_NAME).as_os_str().len() > LONGEST {
            bail!("the path is too long for a socket in it: give a shorter one");
        }
        Ok(Self(path))
    }

    /// Our socket in it: `<pid>.sock`.
    ///
    /// # Errors
    /// If it cannot be bound.
    pub(super) async fn bind(&self) -> Result<(PathBuf, Listener)> {
        let pid = std::process::id();
        let bound = self.listen(format!("{pid}.sock")).await;
        let (path, mut listeners) = match bound {
            // A process of another pid namespace, which has the same number there.
            Err(ListenError::Answered { .. }) => {
                self.listen(format!("{pid}-{:08x}.sock", rand::random::<u32>())).await?
            }
            bound => bound?,
        };
        Ok((path, listeners.pop().context("no socket")?))
    }

    async fn listen(&self, name: String) -> Result<(PathBuf, Vec<Listener>), ListenError> {
        let path = self.0.join(name);
        let listeners = listen::bind(&ListenAddr::Unix(path.clone())).await?;
        Ok((path, listeners))
    }

    /// The sockets of the others: the latest ones, if there are many.
    pub(super) fn others(&self, own: &Path) -> Vec<PathBuf> {
        let mut others: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_named = entry.file_name().to_str().is_some_and(is_ours);
            let Some(found) = entry.metadata().ok().filter(|found| found.file_type().is_socket()) else {
                continue;
            };
            if is_named && path != own {
                others.push((found.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
            }
        }
        others.sort_unstable_by(|a, b| b.cmp(a));
        others.into_iter().map(|(_, path)| path).take(MOST).collect()
    }
}

/// Removes a socket that nobody answers on: its process was killed.
pub(super) fn unlink(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => tracing::debug!(path = %path.display(), "removed the socket of a process that is gone"),
        Err(error) => tracing::debug!(path = %path.display(), %error, "cannot remove a dead socket"),
    }
}

/// `<pid>.sock` or `<pid>-<8 hex>.sock`: other files are others'.
fn is_ours(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".sock") else { return false };
    let (pid, mark) = stem.split_once('-').unwrap_or((stem, "00000000"));
    let digits = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    digits && mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// systemd gives several, with colons between them (systemd.exec(5)).
fn first(paths: &OsString) -> Option<PathBuf> {
    let first = paths.as_bytes().split(|byte| *byte == b':').next()?;
    (!first.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused_with_the_fix() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for (name, mode) in [("good", 0o700), ("open", 0o755), ("group", 0o710)] {
            fs::create_dir(at(name)).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        symlink(at("good"), at("link")).unwrap();
        let long = "x".repeat(100);
        for (name, says) in [
            ("good", ""),
            ("link", ""),
            ("made", ""),
            ("open", "mode is 0755, and nobody else may enter it: chmod 700 "),
            ("group", "mode is 0710"),
            ("file", "not a directory"),
            ("no/parent", "No such file"),
            (&long, "too long"),
        ] {
            let given = Directory::choose(Some(at(name)), none);
            let said = given.map_err(|error| format!("{error:#}"));
            match said {
                Ok(directory) => assert!(says.is_empty() && directory.is_some(), "{name}"),
                Err(error) => {
                    assert!(!says.is_empty() && error.contains(says), "{name}: {error}");
                    assert!(error.starts_with("--handover-dir "), "{error}");
                }
            }
            // As systemd gives it, it is not made, and no error.
            let env = |_: &str| Some(format!("{}:/other", at(name).display()).into());
            let chosen = Directory::choose(None, env).unwrap();
            assert_eq!(chosen.is_some(), says.is_empty(), "{name}");
        }
        assert_eq!(fs::metadata(at("made")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn without_a_word_there_is_none() {
        assert_eq!(Directory::choose(None, none).unwrap(), None);
        assert_eq!(Directory::choose(None, |_| Some("".into())).unwrap(), None);
        let missing = |_: &str| Some("/nonexistent/wsgate".into());
        assert_eq!(Directory::choose(None, missing).unwrap(), None);
    }

    #[tokio::test]
    async fn the_others_are_who_listens_there() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::choose(Some(temp.path().join("d")), none).unwrap().unwrap();
        let (own, _listener) = directory.bind().await.unwrap();
        assert_eq!(own.file_name().unwrap().to_str().unwrap(), format!("{}.sock", std::process::id()));
        let (twin, other) = directory.bind().await.unwrap();
        fs::write(directory.0.join("7.sock"), "no socket").unwrap();
        let _status = std::os::unix::net::UnixListener::bind(directory.0.join("status.sock")).unwrap();
        assert_eq!(directory.others(&own), vec![twin.clone()]);
        assert_eq!(directory.others(&twin), vec![own.clone()]);
        drop(other);
        assert!(directory.others(&own).is_empty());
        for pid in 10..30 {
            drop(std::os::unix::net::UnixListener::bind(directory.0.join(format!("{pid}.sock"))).unwrap());
        }
        assert_eq!(directory.others(&own).len(), MOST);
        assert!(directory.others(&own).contains(&directory.0.join("29.sock")), "the latest");
    }

    #[test]
    fn names() {
        for (name, ours) in [
            ("1.sock", true),
            ("4194304-00c0ffee.sock", true),
            (".sock", false),
            ("status.sock", false),
            ("1.sock.bak", false),
            ("1-x.sock", false),
            ("-00c0ffee.sock", false),
        ] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
