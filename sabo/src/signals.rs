//! Signals. A handler does what must be done, since a blocked write would not notice a signalfd: it marks
//! our slot as failed, unlinks our lock file, and lets the signal have its usual effect.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use rustix::fd::{AsFd, AsRawFd};

use crate::clock;
use crate::group::slots::State;

/// What the handler leaves in order. Null or −1: nothing.
static STATE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
static FAILED: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
static FAILURE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
static JOINED: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
static DIRECTORY: AtomicI32 = AtomicI32::new(-1);
static LOCK_FILE: AtomicPtr<libc::c_char> = AtomicPtr::new(ptr::null_mut());

static ASKED: AtomicBool = AtomicBool::new(false);
static QUIT: AtomicBool = AtomicBool::new(false);

/// Signals that end a process, and that the shell of a nightly job may have had ignored.
const ENDING: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// What the handler writes in a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    /// Our slot's.
    pub(crate) state: &'a AtomicU64,
    pub(crate) failed: &'a AtomicU64,
    pub(crate) failure: &'a AtomicU64,
    pub(crate) joined: &'a AtomicU64,
}

/// The words of our group, for the handler; none before the map goes.
pub(crate) fn set_slot(words: Option<Words<'_>>) {
    // First nothing: the handler never sees words of two groups.
    STATE.store(ptr::null_mut(), Ordering::SeqCst);
    if let Some(Words { state, failed, failure, joined }) = words {
        FAILURE.store(ptr::from_ref(failure).cast_mut(), Ordering::SeqCst);
        FAILED.store(ptr::from_ref(failed).cast_mut(), Ordering::SeqCst);
        JOINED.store(ptr::from_ref(joined).cast_mut(), Ordering::SeqCst);
        STATE.store(ptr::from_ref(state).cast_mut(), Ordering::SeqCst);
    }
}

/// Our lock file, for the handler; none before the directory is closed.
pub(crate) fn set_lock_file(file: Option<(&dyn AsFd, &str)>) {
    LOCK_FILE.store(ptr::null_mut(), Ordering::SeqCst);
    let Some((directory, name)) = file else { return };
    if let Ok(name) = CString::new(name) {
        DIRECTORY.store(directory.as_fd().as_raw_fd(), Ordering::SeqCst);
        // Never freed, since the handler may be reading it: some bytes for each time that a group is joined.
        LOCK_FILE.store(name.into_raw(), Ordering::SeqCst);
    }
}

/// Handles what ends a process, unless it was ignored from the start (`nohup`, `&` in sh), and SIGUSR1. A file
/// that gets larger than `ulimit -f` is an error with a message then, and no SIGXFSZ.
pub(crate) fn handle() {
    for signal in ENDING {
        // SAFETY: sigaction is plain data for which zeros are valid; a null action only asks.
        let ignored = unsafe {
            let mut old: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, ptr::null(), &raw mut old);
            old.sa_sigaction == libc::SIG_IGN
        };
        if !ignored {
            install(signal, on_ending);
        }
    }
    install(libc::SIGUSR1, on_asking);
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Handles what ends a process by noting it, for who has a terminal to put in order.
pub(crate) fn handle_quitting() {
    ENDING.into_iter().for_each(|signal| install(signal, on_quitting));
}

/// Whether a signal of [`handle_quitting`] came.
pub(crate) fn quit() -> bool {
    QUIT.load(Ordering::Relaxed)
}

/// Whether SIGUSR1 came since the last call.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed) && ASKED.swap(false, Ordering::Relaxed)
}

/// SIGUSR1 interrupts nothing any more.
pub(crate) fn stop_asking() {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
}

/// Ends the process as SIGPIPE does, so that a shell sees 141, whatever was ignored or blocked.
pub(crate) fn die_of_closed_pipe() -> ! {
    // SAFETY: no map is gone that the handler was told of.
    unsafe { die_of(libc::SIGPIPE) }
}

fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: sigaction is plain data for which zeros are valid; the handlers call only what may be called in
    // one. Without SA_RESTART: whoever is blocked gets EINTR, and looks at what was asked.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

extern "C" fn on_asking(_: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

extern "C" fn on_quitting(_: libc::c_int) {
    QUIT.store(true, Ordering::Relaxed);
}

extern "C" fn on_ending(signal: libc::c_int) {
    // SAFETY: it may be called in a handler.
    unsafe { die_of(signal) }
}

/// Leaves everything in order, and ends the process by this signal.
///
/// # Safety
/// As [`last_will`].
unsafe fn die_of(signal: libc::c_int) -> ! {
    // SAFETY: plain system calls with valid arguments, which may be called in a handler (signal-safety(7));
    // sigset_t is plain data.
    unsafe {
        last_will();
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::raise(signal);
        // The first process of a container does not die of its own signals (pid_namespaces(7)).
        libc::_exit(128 + signal)
    }
}

/// # Safety
/// May be called in a handler: what the pointers stand for outlives them.
unsafe fn last_will() {
    let words = [&STATE, &FAILED, &FAILURE, &JOINED].map(|word| word.load(Ordering::SeqCst));
    // SAFETY: set_slot takes them away before their map goes.
    let words = words.map(|word| unsafe { word.as_ref() });
    if let [Some(state), Some(failed), Some(failure), Some(joined)] = words {
        let (here, now) = (State::Here as u64, State::Failed as u64);
        if state.compare_exchange(here, now, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            failed.fetch_add(1, Ordering::SeqCst);
            // clock_gettime may be called in a handler.
            failure.store(clock::epoch(), Ordering::SeqCst);
            joined.fetch_add(1, Ordering::SeqCst);
        }
    }
    let name = LOCK_FILE.load(Ordering::SeqCst);
    if !name.is_null() {
        // SAFETY: a string that is never freed; a failure leaves a file that others remove.
        unsafe { libc::unlinkat(DIRECTORY.load(Ordering::SeqCst), name, 0) };
    }
}
