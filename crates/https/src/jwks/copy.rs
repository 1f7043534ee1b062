//! The last good document of a JWK set, kept in a file for the next start.
//!
//! ```text
//! DIRECTORY/jwks-<32 hex digits: the first half of SHA-256 of the URL>.json      mode 0600
//! ```
//!
//! It is what was fetched, byte for byte; its modification time tells when it was last published like that.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest;
use bytes::Bytes;
use token::MAX_JWK_SET;

use crate::Url;

/// Others than the owner may not write it: whoever can, lets anybody in.
const FOREIGN_WRITE: u32 = 0o022;

/// Where the copy of one URL's JWK set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksCopy {
    path: PathBuf,
}

/// What is in a copy, not yet judged.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The document
    pub bytes: Bytes,
    /// For how long nobody has seen it published
    pub age: Duration,
}

impl JwksCopy {
    /// The copy of `url`, query and all, in `directory`.
    pub fn new(directory: &Path, url: &Url) -> Self {
        let name = format!("{url} {}", url.path_and_query()); // its own text leaves the query out
        let hash = digest::digest(&digest::SHA256, name.as_bytes());
        let hex: String = hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        JwksCopy { path: directory.join(format!("jwks-{hex}.json")) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it; `None` if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, is too long, or others may write it.
    pub fn read(&self) -> Result<Option<Kept>> {
        let named = || self.path.display().to_string();
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(named),
        };
        let about = file.metadata().with_context(named)?;
        let is_ours = about.is_file() && about.mode() & FOREIGN_WRITE == 0;
        ensure!(is_ours, "{}: others may write it; remove it", self.path.display());
        let age = about.modified().with_context(named)?.elapsed().unwrap_or_default();
        let mut bytes = Vec::new();
        file.take(MAX_JWK_SET as u64 + 1).read_to_end(&mut bytes).with_context(named)?;
        Ok(Some(Kept { bytes: bytes.into(), age }))
    }

    /// Replaces what is in it, all at once.
    ///
    /// # Errors
    /// The directory is missing, full or not ours.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let mut new = tempfile::NamedTempFile::new_in(directory)?; // mode 0600
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(&self.path)?;
        Ok(())
    }

    /// The same document has been fetched again.
    ///
    /// # Errors
    /// The file is no longer there, or not ours.
    pub(super) fn confirm(&self) -> io::Result<()> {
        let file = fs::OpenOptions::new().write(true).open(&self.path)?;
        file.set_modified(SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn copy(directory: &Path, url: &str) -> JwksCopy {
        JwksCopy::new(directory, &url.parse().unwrap())
    }

    #[test]
    fn each_url_has_its_own() {
        let names = [
            "https://a.example/jwks",
            "https://a.example:8443/jwks",
            "http://a.example/jwks",
            "https://b.example/jwks",
            "https://a.example/jwks?tenant=1",
            "https://a.example/jwks?tenant=2",
        ];
        let paths: std::collections::BTreeSet<_> =
            names.iter().map(|name| copy(Path::new("d"), name).path().to_owned()).collect();
        assert_eq!(paths.len(), names.len());
        let same = copy(Path::new("d"), "https://A.example:443/jwks");
        assert_eq!(same, copy(Path::new("d"), names[0]), "the same place");
        let name = same.path().file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 5 + 32 + 5 && name.starts_with("jwks-") && name.ends_with(".json"), "{name}");
    }

    #[test]
    fn it_is_replaced_and_read() {
        let directory = tempfile::tempdir().unwrap();
        let copy = copy(directory.path(), "https://a.example/jwks");
        assert!(copy.read().unwrap().is_none() && copy.confirm().is_err());
        for text in ["one", "", "two"] {
            copy.write(text.as_bytes()).unwrap();
            assert_eq!(copy.read().unwrap().unwrap().bytes, text);
            assert_eq!(fs::metadata(copy.path()).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left there");

        let hour = Duration::from_secs(3600);
        let file = File::options().write(true).open(copy.path()).unwrap();
        for (modified, at_least, at_most) in [
            (SystemTime::now() - hour, hour, 2 * hour),
            (SystemTime::now() + hour, Duration::ZERO, Duration::ZERO),
        ] {
            file.set_modified(modified).unwrap();
            let age = copy.read().unwrap().unwrap().age;
            assert!((at_least..=at_most).contains(&age), "{age:?}");
        }
        file.set_modified(SystemTime::now() - hour).unwrap();
        copy.confirm().unwrap();
        assert!(copy.read().unwrap().unwrap().age < hour);
    }

    #[test]
    fn what_others_may_write_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let copy = copy(directory.path(), "https://a.example/jwks");
        copy.write(b"keys").unwrap();
        for (mode, fine) in [(0o644, true), (0o400, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(copy.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(copy.read().is_ok(), fine, "{mode:o}");
        }
        fs::remove_file(copy.path()).unwrap();
        fs::create_dir(copy.path()).unwrap();
        assert!(copy.read().is_err());
    }
}
