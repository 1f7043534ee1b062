//! Which of stdin, stdout and stderr were closed when the process began. Rust's runtime opens /dev/null in
//! their place before `main`, and a pipe would read nothing, write into the void, and end well. So a
//! constructor looks before the runtime does.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

// SAFETY: .init_array holds pointers to functions that the C runtime calls before `main`, when this thread is
// the only one. `look` calls fcntl and stores into atomics, and needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD takes no argument, and fails on a number that is not open.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

pub(crate) fn stdin() -> bool {
    CLOSED[0].load(Ordering::Relaxed)
}

pub(crate) fn stdout() -> bool {
    CLOSED[1].load(Ordering::Relaxed)
}

/// Closes stdout, which is when some file systems tell that a write failed.
///
/// # Errors
/// The kernel's.
pub(crate) fn close_stdout() -> std::io::Result<()> {
    // SAFETY: nothing of this process uses the number 1 afterwards but std, which takes EBADF for success.
    match unsafe { libc::close(1) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
