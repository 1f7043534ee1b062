//! What a subcommand says, before it is printed.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

/// The output of a subcommand, and its exit status. It is a value so that tests see what a user would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For stdout.
    pub text: String,
    /// For stderr, a line each.
    pub complaints: Vec<String>,
    /// The exit status.
    pub status: u8,
}

impl Said {
    /// Prints it: `program: complaint` to stderr. A closed pipe is no error, since nobody is there to be told.
    pub fn print(&self, program: &str) -> ExitCode {
        for complaint in &self.complaints {
            let _ = writeln!(stderr(), "{program}: {complaint}");
        }
        let _ = stdout().write_all(self.text.as_bytes());
        ExitCode::from(self.status)
    }
}
