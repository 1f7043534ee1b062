//! `jwtgen` makes what deteco takes: tokens, and the keys that sign them; and it shows what is in a token.
//!
//! ```text
//! jwtgen          private key, claims ─► Authorization: Bearer …
//! jwtgen keygen   kind of key ─► private key file, public key
//! jwtgen inspect  token, perhaps a public key ─► header, claims, times, whether deteco would take it
//! ```

mod args;
mod files;
mod inspect;
mod issue;
mod keygen;
mod moment;

use std::io::stdin;
use std::time::SystemTime;

use anyhow::Result;

pub use args::{Args, Command, InspectArgs, IssueArgs, KeyType, KeygenArgs};

/// Who reads what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A terminal: say what to do next.
    Person,
    /// A pipe or a file: only what was asked for.
    Program,
}

/// What there is to print, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For stdout, as it is
    pub text: String,
    /// For stderr, a line each
    pub warnings: Vec<String>,
    /// False if a token was looked at that would not be taken: exit status 1
    pub good: bool,
}

/// Does what the command line says, at the time `now`.
///
/// # Errors
/// A file or a value that cannot be used; exit status 2.
pub fn run(args: &Args, reader: Reader, now: SystemTime) -> Result<Outcome> {
    match &args.command {
        None => issue::issue(&args.issue, now),
        Some(Command::Keygen(args)) => keygen::keygen(args, reader),
        Some(Command::Inspect(args)) => inspect::inspect(args, stdin().lock(), now),
    }
}
