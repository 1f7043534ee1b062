//! A temporary directory that goes away with its owner.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory below the system's temporary one, readable by servers that run as another user.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Makes the directory.
    pub fn new() -> Scratch {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wsgate-e2e-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // of an earlier process with our pid
        fs::create_dir_all(&path).expect("the temporary directory can be written to");
        Scratch { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, as the text that goes onto a command line.
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).into_os_string().into_string().expect("the temporary directory's name is UTF-8")
    }

    /// Writes a file and says where it is.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.file(name);
        fs::write(&file, content).expect("the temporary directory can be written to");
        file
    }

    /// [`Scratch::write`] for a file that somebody may read at this moment, who gets the old content or the new
    /// one, never half of it.
    pub fn replace(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let (new, file) = (self.write(&format!("{name}.new"), content), self.file(name));
        fs::rename(new, &file).expect("both are in one directory of ours");
        file
    }

    /// Leaves the directory to somebody else to remove.
    pub fn leave(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
