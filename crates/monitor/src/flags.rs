//! The command line of a program that has these subcommands.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Command, Parser};
use daemon::argv::{self, Dash};

use crate::declare::Program;
use crate::health::{Level, verdict};
use crate::said::Said;

/// What stands in the help of our subcommands for the program's name.
const PLACEHOLDER: &str = "PROGRAM";

/// Why a program does not go on: a wrong flag, or `--help` and `--version`.
#[derive(Debug)]
pub struct Refused {
    error: clap::Error,
    verdict: Option<(Program, Said)>,
}

/// Parses `args` as [`argv::parse`] does.
///
/// # Errors
/// [`Refused`], which [`Refused::print`] tells.
pub fn parse<T: Parser>(
    program: Program,
    args: impl Iterator<Item = OsString>,
    dash: Dash,
) -> Result<T, Refused> {
    let args: Vec<_> = args.collect();
    let command = T::command().mut_subcommands(|command| named(command, program));
    argv::parse_as(command, args.iter().cloned(), dash).map_err(|error| {
        let is_check = argv::subcommand(&T::command(), args.into_iter(), dash) == "health";
        let unknown = || (program, verdict(program, Level::Unknown, "wrong flag, see --help"));
        let verdict = (is_check && error.exit_code() != 0).then(unknown);
        Refused { error, verdict }
    })
}

impl Refused {
    /// Prints it; 2 for a wrong flag, but for one of the check, to which 2 is CRITICAL: it says UNKNOWN, and exits
    /// with 3.
    pub fn print(&self) -> ExitCode {
        // A closed pipe is no error, since nobody is there to be told.
        let _ = self.error.print();
        match &self.verdict {
            Some((program, said)) => said.print(program.name),
            None => ExitCode::from(u8::try_from(self.error.exit_code()).unwrap_or(2)),
        }
    }
}

/// With the program's name in the help of `mackerel` and `health`.
fn named(command: Command, program: Program) -> Command {
    if !matches!(command.get_name(), "mackerel" | "health") {
        return command;
    }
    let name = |text: &dyn ToString| text.to_string().replace(PLACEHOLDER, program.name);
    let command = command.mut_args(|arg| match arg.get_help().map(|help| name(help)) {
        Some(help) => arg.help(help),
        None => arg,
    });
    match command.get_after_help().map(|help| name(help)) {
        Some(help) => command.after_help(help),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthArgs;
    use crate::plugin::MackerelArgs;
    use crate::sample::PROGRAM;

    #[derive(Debug, Parser)]
    #[command(version)]
    struct Flags {
        #[arg(long)]
        map: Option<String>,
        #[command(subcommand)]
        command: Option<Subcommands>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Subcommands {
        /// The plugin
        Mackerel(MackerelArgs),
        /// The check
        Health(HealthArgs),
    }

    fn refused(line: &str) -> Refused {
        let words = ["sample-gate"].into_iter().chain(line.split_whitespace()).map(OsString::from);
        parse::<Flags>(PROGRAM, words, Dash::Single).unwrap_err()
    }

    #[test]
    fn a_wrong_flag_of_the_check_is_unknown_and_of_all_else_as_ever() {
        for (line, unknown) in [
            ("health --no-such", true),
            ("health --status x", true),
            ("-map x health --timeout 5", true),
            ("--no-such health", true),
            ("health --help", false),
            ("--version health", false),
            ("mackerel --no-such", false),
            ("--map health --no-such", false),
            ("--no-such", false),
        ] {
            let refused = refused(line);
            let said = refused.verdict.map(|(_, said)| (said.status, said.text));
            let expected = (3, "sample-gate UNKNOWN: wrong flag, see --help\n".to_owned());
            assert_eq!(said, unknown.then_some(expected), "{line}");
        }
    }

    #[test]
    fn no_time_is_no_timeout() {
        for line in ["health --timeout 0", "health --timeout=0s", "mackerel --timeout 0"] {
            let error = refused(line).error.to_string();
            assert!(error.contains("write a time above 0"), "{line}: {error}");
        }
    }

    #[test]
    fn the_help_has_the_programs_own_name() {
        for line in ["health --help", "health -h", "mackerel --help"] {
            let help = refused(line).error.to_string();
            assert!(!help.contains(PLACEHOLDER), "{help}");
            assert!(help.contains("[default: unix:/run/wsgate/sample-gate.sock]"), "{help}");
            assert!(help.contains("command = ['sample-gate', '"), "{help}");
        }
    }
}
