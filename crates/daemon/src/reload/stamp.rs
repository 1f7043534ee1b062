//! What tells that a file is not the one that was read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file, told apart without reading it. The status-change time is left out: it moves with permissions and
/// links, and the content stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    /// In bytes.
    pub(super) length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

/// `None` is a file that is missing, or that we may not see.
pub(super) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

impl Stamp {
    /// Of the file at the end of all links.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Stamp { device: found.dev(), inode: found.ino(), length: found.size(), modified })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes, rename};
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    fn set_time(path: &Path, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    /// As a Kubernetes volume does it: path → ..data/path, ..data → a directory, and the link is replaced.
    fn swap(volume: &Path, name: &str, content: &str) {
        let directory = volume.join(name);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("file"), content).unwrap();
        set_time(&directory.join("file"), 1000);
        symlink(name, volume.join("..data_tmp")).unwrap();
        rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    }

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let volume = tempfile::tempdir().unwrap();
        swap(volume.path(), "..1", "one");
        let path = volume.path().join("file");
        symlink("..data/file", &path).unwrap();
        let first = Stamp::of(&path).unwrap();
        assert_eq!(first.length, 3);
        assert_eq!(Stamp::of(&path).as_ref(), Some(&first), "nothing has changed");

        swap(volume.path(), "..2", "two");
        let swapped = Stamp::of(&path).unwrap();
        assert_eq!((swapped.length, swapped.modified), (first.length, first.modified));
        assert_ne!(swapped, first, "of the same length and time, but another file");

        File::options().append(true).open(&path).unwrap().write_all(b"x").unwrap();
        set_time(&path, 1000);
        let longer = Stamp::of(&path).unwrap();
        assert_ne!(longer, swapped, "appended to");
        set_time(&path, 1001);
        let touched = Stamp::of(&path).unwrap();
        assert_ne!(touched, longer, "touched");

        let other = volume.path().join("other");
        fs::write(&other, "two?").unwrap();
        set_time(&other, 1001);
        rename(&other, &path).unwrap();
        assert_ne!(Stamp::of(&path).unwrap(), touched, "renamed over");
        fs::remove_file(&path).unwrap();
        assert_eq!(Stamp::of(&path), None, "removed");
    }
}
