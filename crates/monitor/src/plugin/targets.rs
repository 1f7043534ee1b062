//! Which daemons are asked, and what their names begin with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use daemon::listen::ListenAddr;

use super::MackerelArgs;
use crate::declare::Program;
use crate::name::Part;
use crate::said::Said;

/// More sockets than this in a directory are not asked.
const MOST: usize = 64;

/// A daemon, and what its names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: ListenAddr,
    pub(super) instance: String,
    /// Whether it is one of the caller's program, for all that is known.
    pub(super) is_ours: bool,
    /// Whether somebody gave its address, and did not only find it in a directory: it must be one of ours then.
    pub(super) is_named: bool,
}

/// All that are to be asked, each with a name of its own, and what is to be said of the others.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) targets: Vec<Target>,
    pub(super) complaints: Vec<String>,
}

/// As the flags say.
///
/// # Errors
/// What is said instead: two of one name, or a directory that cannot be read.
pub(super) fn targets(args: &MackerelArgs, program: Program) -> Result<Targets, Said> {
    let wrong = |complaint: String| Said { complaints: vec![complaint], status: 2, ..Said::default() };
    if let Some(directory) = &args.run_dir {
        return in_directory(directory, program).map_err(|error| Said {
            status: 1,
            ..wrong(format!("--run-dir {}: {error}", directory.display()))
        });
    }
    let addresses = match args.status.is_empty() {
        true => vec![default_address(program)],
        false => args.status.clone(),
    };
    if !args.instance.is_empty() && args.instance.len() != addresses.len() {
        return Err(wrong("give --instance as often as --status, in the same order".to_owned()));
    }
    let named = |(at, address): (usize, ListenAddr)| Target {
        instance: args.instance.get(at).cloned().unwrap_or_else(|| stem(&address, program)),
        address,
        is_ours: true,
        is_named: true,
    };
    let targets: Vec<_> = addresses.into_iter().enumerate().map(named).collect();
    match twice(&targets) {
        Some(name) => Err(wrong(format!("two daemons would be called {name}: give each its --instance"))),
        None => Ok(Targets { targets, complaints: Vec::new() }),
    }
}

/// Where a program answers if nobody said otherwise.
pub fn default_address(program: Program) -> ListenAddr {
    ListenAddr::Unix(format!("/run/wsgate/{}.sock", program.name).into())
}

pub(super) fn stem(address: &ListenAddr, program: Program) -> String {
    let ListenAddr::Unix(path) = address else { return program.name.to_owned() };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Part::of(&stem.unwrap_or_default()).to_string()
}

fn twice(targets: &[Target]) -> Option<&str> {
    let again = |at: usize| targets[..at].iter().any(|before| before.instance == targets[at].instance);
    (0..targets.len()).find(|at| again(*at)).map(|at| targets[at].instance.as_str())
}

/// In the order of their names. The first of those whose names come to the same has it.
fn in_directory(directory: &Path, program: Program) -> io::Result<Targets> {
    let paths = sockets(directory)?;
    let mut found = Targets::default();
    if paths.len() > MOST {
        let (directory, count) = (directory.display(), paths.len());
        found
            .complaints
            .push(format!("--run-dir {directory}: of {count} sockets only the first {MOST} are asked"));
    }
    for path in paths.into_iter().take(MOST) {
        let address = ListenAddr::Unix(path);
        let instance = stem(&address, program);
        match found.targets.iter().find(|target| target.instance == instance) {
            Some(first) => found.complaints.push(format!(
                "{address}: it would be called {instance}, as {} is: call the socket otherwise",
                first.address
            )),
            None => {
                let is_ours = instance.starts_with(program.name);
                found.targets.push(Target { address, instance, is_ours, is_named: false });
            }
        }
    }
    Ok(found)
}

/// Those that are not hidden, sorted.
fn sockets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "sock") && !is_hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
