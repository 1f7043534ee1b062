//! The files: private keys read and written with care.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;
use token::PrivateKey;

/// A private key, and what is wrong with how it is kept.
pub(super) struct PrivateKeyFile {
    pub(super) key: PrivateKey,
    pub(super) warning: Option<String>,
}

impl PrivateKeyFile {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = || format!("--private-key {}", path.display());
        let pem = fs::read(path).with_context(file)?;
        let key = PrivateKey::from_pem(&pem).with_context(file)?;
        let mode = fs::metadata(path).with_context(file)?.mode();
        let warning = (mode & 0o077 != 0).then(|| {
            let path = path.display();
            format!(
                "others may read or write the private key {path} (mode {:04o}); chmod 600 {path}",
                mode & 0o7777
            )
        });
        Ok(Self { key, warning })
    }
}

/// A file that stands beside its place, written whole, and is removed unless it is [put](New::put) there.
pub(super) struct New {
    file: NamedTempFile,
    path: PathBuf,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Keep,
    Replace,
}

impl Existing {
    /// Says early that a file is in the way; [`New::put`] asks again.
    pub(super) fn check(self, path: &Path) -> Result<()> {
        match self {
            Existing::Keep if path.symlink_metadata().is_ok() => {
                bail!("{} exists; give another name, or --force to replace it", path.display())
            }
            _ => Ok(()),
        }
    }
}

impl New {
    pub(super) fn write(path: &Path, mode: u32, text: &str) -> Result<Self> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let written = || -> std::io::Result<NamedTempFile> {
            let mut file = tempfile::Builder::new()
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(directory.unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        let file = written().with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn put(self, existing: Existing) -> Result<()> {
        let Self { file, path } = self;
        let put = match existing {
            Existing::Keep => file.persist_noclobber(&path),
            Existing::Replace => file.persist(&path),
        };
        put.map_err(|error| error.error).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::NewKey;

    #[test]
    fn a_key_that_others_may_read_is_warned_about() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("key.pem");
        fs::write(&path, PrivateKey::generate(NewKey::Ed25519).unwrap().to_pem().unwrap()).unwrap();
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let warning = PrivateKeyFile::read(&path).unwrap().warning;
            assert_eq!(warning.is_some(), warned, "{mode:o}");
            assert!(warning.is_none_or(|text| text.contains("chmod 600")));
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("key.pem");
        let error = |path: &Path| format!("{:#}", PrivateKeyFile::read(path).err().unwrap());
        assert!(error(&path).contains("key.pem: No such file"));
        fs::write(&path, PrivateKey::generate(NewKey::Ed25519).unwrap().public_pem()).unwrap();
        assert!(error(&path).contains("key.pem: this is a public key"));
    }
}
