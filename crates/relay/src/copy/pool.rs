//! The pipes of the process: few, shared by all connections, each lent for as long as bytes are in it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pipe::Pipe;

/// How many pipes there are at most. 64 of 1 MiB are what the kernel grants the processes of an
/// unprivileged user together (pipe-user-pages-soft, pipe(7)); a quarter is left to others.
const MOST: usize = 48;

/// How many pipes are kept while nobody needs them: two descriptors and some kilobytes each.
const KEPT: usize = 16;

/// Where pipes are taken from.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    make: fn() -> io::Result<Pipe>,
    shelf: Mutex<Shelf>,
}

#[derive(Debug)]
struct Shelf {
    free: Vec<Pipe>,
    lent: usize,
}

/// The one pool of this process.
pub(super) fn of_process() -> &'static Pool {
    static POOL: Pool = Pool::new(MOST, Pipe::new);
    &POOL
}

impl Pool {
    /// A pool of at most `most` pipes, which `make` makes.
    pub(super) const fn new(most: usize, make: fn() -> io::Result<Pipe>) -> Self {
        Self { most, make, shelf: Mutex::new(Shelf { free: Vec::new(), lent: 0 }) }
    }

    /// Lends an empty pipe; none when all are lent or the kernel gives no more. That is no error: copying
    /// does the same.
    pub(super) fn take(&'static self) -> Option<Lent> {
        let pooled = {
            let mut shelf = self.shelf();
            if shelf.lent == self.most {
                return None;
            }
            shelf.lent += 1;
            shelf.free.pop()
        };
        match pooled.map_or_else(self.make, Ok) {
            Ok(pipe) => Some(Lent { pipe: Some(pipe), pool: self }),
            Err(error) => {
                self.shelf().lent -= 1;
                tracing::debug!(%error, "no pipe to be had, copying");
                None
            }
        }
    }

    fn give_back(&self, pipe: Pipe) {
        let mut shelf = self.shelf();
        shelf.lent -= 1;
        // One that holds bytes of a connection that is gone must not meet another connection.
        if pipe.is_empty() && shelf.free.len() < KEPT {
            shelf.free.push(pipe);
        } else {
            drop(shelf); // closing takes time
            drop(pipe);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that happens under the lock can leave a shelf half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many pipes are free and how many are lent.
    #[cfg(test)]
    pub(super) fn level(&self) -> (usize, usize) {
        let shelf = self.shelf();
        (shelf.free.len(), shelf.lent)
    }
}

/// A pipe of the pool, given back when dropped: to be lent again if empty, closed if not.
#[derive(Debug)]
pub(super) struct Lent {
    /// There until the drop.
    pipe: Option<Pipe>,
    pool: &'static Pool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            self.pool.give_back(pipe);
        }
    }
}

impl Deref for Lent {
    type Target = Pipe;

    fn deref(&self) -> &Pipe {
        self.pipe.as_ref().expect("it is taken only by drop")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Pipe {
        self.pipe.as_mut().expect("it is taken only by drop")
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn pool(most: usize, make: fn() -> io::Result<Pipe>) -> &'static Pool {
        Box::leak(Box::new(Pool::new(most, make)))
    }

    #[test]
    fn no_more_are_lent_than_there_may_be_and_few_are_kept() {
        let pool = pool(KEPT + 2, Pipe::new);
        let all: Vec<_> = (0..KEPT + 2).map(|_| pool.take().expect("there may be more")).collect();
        assert!(pool.take().is_none());
        assert_eq!(pool.level(), (0, KEPT + 2));
        drop(all);
        assert_eq!(pool.level(), (KEPT, 0));
        let again = pool.take();
        assert_eq!((again.is_some(), pool.level()), (true, (KEPT - 1, 1)));
    }

    #[test]
    fn what_the_kernel_refuses_is_not_counted() {
        for error in [Errno::PERM, Errno::MFILE] {
            let refusing: fn() -> io::Result<Pipe> = match error {
                Errno::PERM => || Err(Errno::PERM.into()),
                _ => || Err(Errno::MFILE.into()),
            };
            let pool = pool(1, refusing);
            for _ in 0..3 {
                assert!(pool.take().is_none());
                assert_eq!(pool.level(), (0, 0));
            }
        }
    }
}
