//! `--token-file`: a file whose text is the token; somebody else keeps it fresh.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use http::HeaderValue;

use crate::held::{BadToken, one_token};
use crate::source::SourceError;

/// How much of the file is read, in bytes: the longest token, and space around it.
const LONGEST: u64 = token::MAX_TOKEN as u64 + 1024;

/// A file, and the token in it.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    latest: Mutex<Option<Latest>>,
}

/// The value is marked as sensitive, so that no debug output shows it.
#[derive(Debug)]
struct Latest {
    bearer: HeaderValue,
    stamp: Stamp,
    /// The log says that a newer text cannot be used.
    is_told: bool,
}

/// What differs when a file was written again or another was put in its place: device and inode, size,
/// change time. The modification time alone can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([i128; 4]);

/// Why a file has no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot be read")]
    Read(#[from] std::io::Error),
    #[error("its text {0}")]
    Token(#[from] BadToken),
    #[error("is no text")]
    NoText,
}

impl TokenFile {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = Self { path: path.to_owned(), latest: Mutex::default() };
        file.bearer()?;
        Ok(file)
    }

    /// `Bearer TOKEN`. The file is looked at each time, and read if it has changed; while it has no token,
    /// being written perhaps, the last one is used.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, SourceError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.read(latest.as_ref()), &mut *latest) {
            (Ok(Some(new)), latest) => Ok(latest.insert(new).bearer.clone()),
            (Ok(None), Some(latest)) => Ok(latest.bearer.clone()),
            (Err(error), Some(latest)) => {
                if !std::mem::replace(&mut latest.is_told, true) {
                    let (error, file) = (&error as &dyn std::error::Error, self.path.display());
                    tracing::warn!(error, %file, "--token-file has no new token; the last one is used");
                }
                Ok(latest.bearer.clone())
            }
            (Err(error), None) => Err(self.without(error)),
            (Ok(None), None) => Err(self.without(BadToken::Empty.into())),
        }
    }

    fn without(&self, error: FileError) -> SourceError {
        SourceError::File(self.path.display().to_string(), error)
    }

    /// The gateway does not take the token: read the file even if it seems to be the same.
    pub(crate) fn refused(&self) {
        if let Some(latest) = self.latest.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            latest.stamp = Stamp([-1; 4]);
        }
    }

    /// None if it is the file that is known.
    fn read(&self, known: Option<&Latest>) -> Result<Option<Latest>, FileError> {
        if known.is_some_and(|known| fs::metadata(&self.path).is_ok_and(|now| known.stamp == Stamp::of(&now)))
        {
            return Ok(None);
        }
        let file = File::open(&self.path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text)?;
        let text = String::from_utf8(text).map_err(|_| FileError::NoText)?;
        Ok(Some(Latest { bearer: one_token(text.trim())?, stamp, is_told: false }))
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        Self([metadata.dev().into(), metadata.ino().into(), metadata.len().into(), changed])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_again_when_it_has_changed() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("token");
        fs::write(&path, " one\n").unwrap();
        let file = TokenFile::load(&path).unwrap();
        let is = |token: &str| assert_eq!(file.bearer().unwrap(), format!("Bearer {token}"));
        is("one");
        fs::write(&path, "longer").unwrap();
        is("longer");
        fs::write(files.path().join("next"), "third").unwrap();
        fs::rename(files.path().join("next"), &path).unwrap();
        is("third");
        for bad in ["", "two words"] {
            fs::write(&path, bad).unwrap();
            is("third");
        }
        fs::remove_file(&path).unwrap();
        is("third");
        fs::write(&path, "back").unwrap();
        is("back");
        file.refused();
        is("back");
        assert!(!format!("{file:?}").contains("back"));
    }

    #[test]
    fn a_file_without_a_token_is_refused_without_showing_it() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("token");
        let long = "a".repeat(9000);
        for (text, says) in [
            (&b" \n"[..], "its text is empty"),
            (b"sesame two", "not the only word"),
            (b"\xffsesame", "is no text"),
            (long.as_bytes(), "longer than 8192 bytes"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", TokenFile::load(&path).unwrap_err());
            assert!(error.starts_with("--token-file ") && error.contains(says), "{error}");
            assert!(!error.contains("sesame"), "{error}");
        }
        let error = format!("{:#}", TokenFile::load(&path.join("x")).unwrap_err());
        assert!(error.contains("cannot be read: Not a directory"), "{error}");
    }
}
