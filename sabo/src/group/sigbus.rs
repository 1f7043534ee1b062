//! A file that is truncated while it is mapped, or a disk that cannot hold a page: the kernel sends SIGBUS
//! (mmap(2)). The handler maps a private page of zeros over the lost one and notes it, and the access that
//! faulted goes on. Any other SIGBUS ends the process as it always did.
#![allow(unsafe_code)]

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A mapping that is watched. Read by the handler, so atomics in a table of fixed size.
struct Watched {
    base: AtomicUsize,
    length: AtomicUsize,
    lost: AtomicBool,
}

/// A process maps one file, `top` one a group; tests many at once.
const MOST: usize = 256;

static WATCHED: [Watched; MOST] = [const {
    Watched { base: AtomicUsize::new(0), length: AtomicUsize::new(0), lost: AtomicBool::new(false) }
}; MOST];

/// A base that is taken and not watched yet.
const TAKEN: usize = 1;

static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// Watches a mapping as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard(usize);

impl Guard {
    /// # Errors
    /// If too many are watched already.
    pub(crate) fn over(base: usize, length: usize) -> io::Result<Self> {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
        let free = |entry: &Watched| {
            entry.base.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let index = WATCHED.iter().position(free).ok_or(io::Error::other("too many mapped files"))?;
        let entry = &WATCHED[index];
        entry.lost.store(false, Ordering::Release);
        entry.length.store(length, Ordering::Release);
        entry.base.store(base, Ordering::Release);
        Ok(Self(index))
    }

    pub(crate) fn is_lost(&self) -> bool {
        WATCHED[self.0].lost.load(Ordering::Acquire)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        WATCHED[self.0].length.store(0, Ordering::Release);
        WATCHED[self.0].base.store(0, Ordering::Release);
    }
}

fn install() {
    PAGE.store(rustix::param::page_size(), Ordering::Relaxed);
    // SAFETY: sigaction and sigset_t are plain data for which zeros are valid; the handler has the signature that
    // SA_SIGINFO asks for, and calls only what may be called in a handler.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
        // The parent may have blocked it; a fault that is blocked ends the process, handler or not.
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGBUS);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}

extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo; si_code says that it is a fault at si_addr.
    let fault = unsafe { ((*info).si_code > 0).then(|| (*info).si_addr() as usize) };
    if !fault.is_some_and(mend) {
        // SAFETY: both may be called in a handler (signal-safety(7)). A fault comes again after the return,
        // a signal that was sent is pending by then.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}

/// Whether the address was in a watched mapping, and can be read and written now.
fn mend(address: usize) -> bool {
    let holds = |entry: &&Watched| {
        let base = entry.base.load(Ordering::Acquire);
        base > TAKEN && (base..base + entry.length.load(Ordering::Acquire)).contains(&address)
    };
    let Some(entry) = WATCHED.iter().find(holds) else { return false };
    let page = PAGE.load(Ordering::Relaxed);
    // SAFETY: the page lies in a mapping of ours, which stays until its guard is dropped, and is replaced by
    // one with the same size and access. mmap is a plain system call.
    let mapped = unsafe {
        libc::mmap(
            (address / page * page) as *mut libc::c_void,
            page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    entry.lost.store(true, Ordering::Release);
    mapped != libc::MAP_FAILED
}

#[cfg(test)]
mod tests {
    use crate::group::map::{Access, Map};

    #[test]
    fn a_truncated_file_reads_as_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 * 65_536).unwrap();
        let map = Map::new(&file, 3 * 65_536, Access::Write).unwrap();
        map.set(0, 7);
        map.set(2 * 65_536, 8);
        assert!(!map.is_lost());
        file.set_len(65_536).unwrap();
        assert_eq!(map.get(2 * 65_536), 0);
        assert!(map.is_lost());
        map.set(2 * 65_536, 9);
        assert_eq!((map.get(0), map.get(2 * 65_536)), (7, 9));
    }
}
