//! The first process of a container, as this host sees it.

use std::path::{Path, PathBuf};

/// Its directory in /proc.
#[derive(Clone, Debug)]
pub(crate) struct FirstProcess(PathBuf);

impl FirstProcess {
    /// The one of the container `id`, whose number is `pid` by the engine's word; nothing if that number is
    /// another process here, the engine being on another host or in another namespace.
    pub(crate) fn of(id: &str, pid: i64) -> Option<Self> {
        let process = Self(Path::new("/proc").join(pid.to_string()));
        process.read("cgroup").filter(|cgroup| !id.is_empty() && cgroup.contains(id))?;
        Some(process)
    }

    /// A file of it, if it may be read.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_in_the_container_is_not_read() {
        let own = i64::from(std::process::id());
        for (id, pid) in [("0123456789abcdef", own), ("", own), ("0123456789abcdef", -1), ("0", 0)] {
            assert!(FirstProcess::of(id, pid).is_none(), "{id} {pid}");
        }
    }
}
