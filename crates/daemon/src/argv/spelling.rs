//! Rewrites the names of flags, and nothing else, into the spelling that clap knows.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

/// What a single dash before a name of two letters or more means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// What it means to clap: several one-letter flags.
    Double,
    /// The same as two dashes, as in Go, if the name is known.
    Single,
}

/// `args`, of which the first is the program's name, with `--dial_timeout` become `--dial-timeout`, and
/// with [`Dash::Single`] `-name` and `-name=value` become `--name` and `--name=value`.
///
/// Only names that `command` knows are touched, and after a subcommand those that it knows. Values are not:
/// not after `=`, not in the argument after a flag that takes one, not after a lone `--`, and not in the
/// command line that a trailing argument collects.
pub fn go_spellings(args: impl Iterator<Item = OsString>, command: &Command, dash: Dash) -> Vec<OsString> {
    walk(args, command, dash).0
}

/// The name of the innermost subcommand.
pub(super) fn innermost(args: impl Iterator<Item = OsString>, command: &Command, dash: Dash) -> String {
    walk(args, command, dash).1
}

fn walk(args: impl Iterator<Item = OsString>, command: &Command, dash: Dash) -> (Vec<OsString>, String) {
    // Building adds --help and --version, and the global flags to the subcommands.
    let mut built = command.clone();
    built.build();
    let mut walk = Walk { command: &built, dash, positionals: 0 };
    let mut args = args;
    let mut spelled: Vec<_> = args.by_ref().take(1).collect();
    while let Some(arg) = args.next() {
        let (arg, next) = walk.step(arg);
        spelled.push(arg);
        match next {
            Next::Argument => {}
            Next::Value => spelled.extend(args.next()),
            Next::Verbatim => spelled.extend(args.by_ref()),
        }
    }
    (spelled, walk.command.get_name().to_owned())
}

struct Walk<'a> {
    command: &'a Command,
    dash: Dash,
    /// How many arguments of this command were no flags.
    positionals: usize,
}

/// What comes after the argument just seen.
enum Next {
    Argument,
    Value,
    /// From here on nothing is a flag of ours.
    Verbatim,
}

impl<'a> Walk<'a> {
    fn step(&mut self, arg: OsString) -> (OsString, Next) {
        match arg.as_bytes() {
            b"--" => (arg, Next::Verbatim),
            [b'-', b'-', flag @ ..] => self.long(flag).unwrap_or((arg, Next::Argument)),
            [b'-', flag @ ..] if !flag.is_empty() => match self.single(flag) {
                Some(found) => found,
                None => self.letters(arg),
            },
            _ => self.positional(arg),
        }
    }

    /// `name` or `name=value`; none if no such flag is known.
    fn long(&self, flag: &[u8]) -> Option<(OsString, Next)> {
        let end = flag.iter().position(|b| *b == b'=').unwrap_or(flag.len());
        let (written, value) = flag.split_at(end);
        let (name, arg) = self.known(std::str::from_utf8(written).ok()?)?;
        let spelled = OsString::from_vec([b"--", name.as_bytes(), value].concat());
        let next = if value.is_empty() && takes_next(arg) { Next::Value } else { Next::Argument };
        Some((spelled, next))
    }

    fn single(&self, flag: &[u8]) -> Option<(OsString, Next)> {
        let letters = flag.iter().take_while(|b| **b != b'=').count();
        (self.dash == Dash::Single && letters >= 2).then(|| self.long(flag)).flatten()
    }

    /// The flag of this name, as written or with `-` for `_`, and the name that clap knows.
    fn known(&self, written: &str) -> Option<(String, &'a Arg)> {
        let is = |arg: &&Arg, name: &str| {
            arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        [written.to_owned(), written.replace('_', "-")].into_iter().find_map(|name| {
            let arg = self.command.get_arguments().find(|arg| is(arg, &name))?;
            Some((name, arg))
        })
    }

    /// `-q`, `-qv`, `-Hvalue` or `-H value`: unchanged, but the value must be known for one.
    fn letters(&self, arg: OsString) -> (OsString, Next) {
        let text = arg.to_string_lossy();
        let mut letters = text.chars().skip(1);
        while let Some(flag) = letters.next().and_then(|letter| self.letter(letter)) {
            if takes_next(flag) {
                let attached = letters.next().is_some();
                return (arg, if attached { Next::Argument } else { Next::Value });
            }
        }
        (arg, Next::Argument)
    }

    fn letter(&self, letter: char) -> Option<&'a Arg> {
        self.command.get_arguments().find(|arg| {
            arg.get_short() == Some(letter)
                || arg.get_all_short_aliases().is_some_and(|all| all.contains(&letter))
        })
    }

    /// A subcommand's name, or the start of a command line that is not ours, or neither.
    fn positional(&mut self, arg: OsString) -> (OsString, Next) {
        if let Some(subcommand) = self.command.find_subcommand(OsStr::new(&arg)) {
            *self = Walk { command: subcommand, positionals: 0, ..*self };
            return (arg, Next::Argument);
        }
        let here = self.command.get_positionals().nth(self.positionals);
        self.positionals += 1;
        let not_ours = here.map_or(self.command.is_allow_external_subcommands_set(), |positional| {
            positional.is_trailing_var_arg_set()
        });
        (arg, if not_ours { Next::Verbatim } else { Next::Argument })
    }
}

/// Whether the next argument is this flag's value.
fn takes_next(arg: &Arg) -> bool {
    let optional = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    arg.get_action().takes_values() && !arg.is_require_equals_set() && !optional
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_that_are_no_text() {
        let command = Command::new("x").arg(Arg::new("map").long("map_file").alias("map-path"));
        let bytes = |b: &[u8]| OsString::from_vec(b.to_vec());
        let table: [(&[u8], &[u8]); 5] = [
            (b"-map_path=\xff_", b"--map-path=\xff_"),
            (b"--map_file=\xff", b"--map_file=\xff"),
            (b"--m\xff_p", b"--m\xff_p"),
            (b"-\xff", b"-\xff"),
            (b"-", b"-"),
        ];
        for (written, expected) in table {
            let args = [bytes(b"-map_path"), bytes(written)].into_iter();
            assert_eq!(go_spellings(args, &command, Dash::Single), [bytes(b"-map_path"), bytes(expected)]);
        }
    }
}
