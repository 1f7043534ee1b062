//! A child that is told when we die (prctl(2), PR_SET_PDEATHSIG). This takes code that runs between fork and
//! exec, hence the `unsafe`.
#![allow(unsafe_code)]

use std::io;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use tokio::process::Command;

/// The child of `command` gets `signal` when the thread ends that spawns it: so that has to be the main one.
pub(crate) fn arm(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let between = move || {
        set_parent_process_death_signal(Some(signal))?;
        // If we have died in between, it will not come.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(io::Error::from(rustix::io::Errno::SRCH)),
        }
    };
    // SAFETY: after fork, in what was a process of several threads, only async-signal-safe things may be done:
    // `between` makes two system calls and allocates nothing, its errors included.
    unsafe { command.pre_exec(between) };
}
