//! sabo in a work directory of the test's own: what feeds it, where it writes, what it leaves.

pub mod status;

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::meter::Meter;
use crate::process::Process;
use crate::programs::program;
use crate::scratch::Scratch;

/// A directory that sabos share, and a place beside it for what they read and write.
#[derive(Debug)]
pub struct WorkDir {
    scratch: Scratch,
    outputs: AtomicU32,
}

impl Default for WorkDir {
    fn default() -> Self {
        Self::new()
    }
}

impl WorkDir {
    /// Makes it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> WorkDir {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path().join("wd")).expect("a new directory has room for one more");
        WorkDir { scratch, outputs: AtomicU32::new(0) }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("wd")
    }

    /// The place beside it.
    pub fn beside(&self) -> &Scratch {
        &self.scratch
    }

    /// `sabo` with this limit in bytes a second.
    pub fn sabo(&self, rate: u64) -> Command {
        self.limited(&rate.to_string())
    }

    /// `sabo` with a limit as it is spelt.
    pub fn limited(&self, limit: &str) -> Command {
        let mut command = Command::new(program("sabo"));
        command.args(["--max-bandwidth", limit, "--work-dir"]).arg(self.path());
        command
    }

    /// A command of sabo's about this directory: `top`, `ctl`, `status`.
    pub fn about(&self, word: &str) -> Command {
        let mut command = Command::new(program("sabo"));
        command.args([word, "--work-dir"]).arg(self.path());
        command
    }

    /// The group's file of this limit.
    pub fn group(&self, rate: u64) -> PathBuf {
        self.path().join(format!("sabo_{rate}.group"))
    }

    /// The names in it.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the work directory can be read");
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The lock files in it that are not beginnings of one.
    pub fn locks(&self) -> Vec<String> {
        let is_lock = |name: &String| name.starts_with("sabo_") && name.ends_with(".lock");
        self.names().into_iter().filter(is_lock).collect()
    }

    /// Starts `command` from `source` into a new file beside, which `meter` counts.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn flow(&self, meter: &Meter, mut command: Command, source: impl Into<Stdio>) -> Flow {
        let output = self.output();
        let file = File::create(&output).expect("there is room beside the work directory");
        let number = meter.add(file.try_clone().expect("a descriptor is left"));
        let process = Process::spawn_into("sabo", command.stdin(source), file);
        process.hurry();
        Flow { process, output, number }
    }

    /// Starts as many with this limit, each with a pipe that never runs dry.
    ///
    /// # Panics
    /// When one cannot be started.
    pub fn flows(&self, meter: &Meter, rate: u64, count: usize) -> Vec<Flow> {
        (0..count).map(|_| self.flow(meter, self.sabo(rate), endless())).collect()
    }

    /// A name for an output beside it that nobody has.
    pub fn output(&self) -> PathBuf {
        let number = self.outputs.fetch_add(1, Ordering::Relaxed);
        self.scratch.path().join(format!("output-{number}"))
    }
}

/// A sabo between a source and a file.
#[derive(Debug)]
pub struct Flow {
    /// The process.
    pub process: Process,
    /// Where it writes.
    pub output: PathBuf,
    /// The file's number with its meter.
    pub number: usize,
}

/// A pipe that never runs dry: zeros until nobody reads.
///
/// # Panics
/// When there is no pipe left.
pub fn endless() -> PipeReader {
    let (reader, mut writer) = pipe().expect("a pipe is left");
    thread::spawn(move || while writer.write_all(&[0; 64 * 1024]).is_ok() {});
    reader
}

/// A pipe that holds as little as a pipe can.
///
/// # Panics
/// When there is no pipe left.
pub fn narrow_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().expect("a pipe is left");
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).expect("a page is a pipe's least size");
    (reader, writer)
}

/// A device that never runs dry, and of which nobody can say what is there.
///
/// # Panics
/// When it is missing.
pub fn zeros() -> File {
    File::open("/dev/zero").expect("Linux has /dev/zero")
}

/// The sha256 of a file, as `sha256sum` says.
///
/// # Panics
/// When it cannot be read.
pub fn sha256(file: &Path) -> String {
    let output = crate::programs::output_of(Command::new("sha256sum").arg("--").arg(file));
    output.split(' ').next().unwrap_or_default().to_owned()
}
