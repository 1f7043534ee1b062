//! Exit codes: whose fault it was that a program could not go on.
//!
//! ```
//! use daemon::exit::{Failure, Stage};
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     match stages() {
//!         Ok(()) => ExitCode::SUCCESS,
//!         Err(failure) => {
//!             eprintln!("program: {failure:#}");
//!             failure.code()
//!         }
//!     }
//! }
//!
//! fn stages() -> Result<(), Failure> {
//!     let port: u16 = "8086".parse().configuring()?;
//!     std::net::TcpListener::bind(("127.0.0.1", 0)).running()?;
//! #   assert_eq!(port, 8086);
//!     Ok(())
//! }
//! ```

use std::fmt;
use std::process::ExitCode;

/// Why a program ends early.
#[derive(Debug)]
pub enum Failure {
    /// A flag or a file is wrong: the user can mend it, a restart cannot. Exit code 2.
    Configuration(anyhow::Error),
    /// Something failed that was configured well, perhaps only this time. Exit code 1.
    Run(anyhow::Error),
}

impl Failure {
    /// 2 for the configuration, 1 for the rest.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }

    fn status(&self) -> u8 {
        match self {
            Failure::Configuration(_) => 2,
            Failure::Run(_) => 1,
        }
    }
}

/// The error; with `{:#}` its sources too.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Configuration(error) | Failure::Run(error)) = self;
        fmt::Display::fmt(error, f)
    }
}

/// Says in which stage of a program an error came up.
pub trait Stage<T> {
    /// An error is [`Failure::Configuration`].
    ///
    /// # Errors
    /// The one that there was.
    fn configuring(self) -> Result<T, Failure>;

    /// An error is [`Failure::Run`].
    ///
    /// # Errors
    /// The one that there was.
    fn running(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Stage<T> for Result<T, E> {
    fn configuring(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Configuration(error.into()))
    }

    fn running(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Run(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn tells_the_stages_apart() {
        let failed = || Err::<(), _>(std::io::Error::other("inner")).context("outer");
        for (failure, status) in [(failed().configuring(), 2), (failed().running(), 1)] {
            let failure = failure.unwrap_err();
            assert_eq!(failure.status(), status);
            assert_eq!(
                (failure.to_string(), format!("{failure:#}")),
                ("outer".into(), "outer: inner".into())
            );
        }
    }
}
