//! A value that is parsed whole, then swapped; who holds the old one keeps it.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;

/// What a reload found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The files say something else now, and it is in use from the next connection on
    Swapped,
    /// The files say what they said before
    Nothing,
}

pub(crate) struct Reloadable<T> {
    current: RwLock<Arc<T>>,
}

impl<T> Reloadable<T> {
    pub(crate) fn new(value: T) -> Self {
        Reloadable { current: RwLock::new(Arc::new(value)) }
    }

    pub(crate) fn current(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error of `load` changes nothing.
    pub(crate) fn reload(
        &self,
        load: impl FnOnce() -> Result<T>,
        same: impl FnOnce(&T, &T) -> bool,
    ) -> Result<Changed> {
        let new = load()?;
        if same(&self.current(), &new) {
            return Ok(Changed::Nothing);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(Changed::Swapped)
    }
}
