//! Command lines written for Go's flag package, read by clap.
//!
//! [`parse`] is all a program needs; its flags stay plain clap. A field of type `bool` becomes a switch, and
//! so does `Option<bool>`, which tells a flag that says false from one that is not given.

mod spelling;

use std::any::TypeId;
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, Parser};

pub use spelling::{Dash, go_spellings};

/// Parses `args`, of which the first is the program's name, as [`go_style`] and [`go_spellings`] say.
///
/// # Errors
/// clap's, which also stands for `--help` and `--version`; `clap::Error::exit` does the right thing with all.
pub fn parse<T: Parser>(args: impl Iterator<Item = OsString>, dash: Dash) -> Result<T, clap::Error> {
    parse_as(T::command(), args, dash)
}

/// [`parse`] with a command that is not quite `T`'s: its help says more.
///
/// # Errors
/// The same.
pub fn parse_as<T: Parser>(
    command: Command,
    args: impl Iterator<Item = OsString>,
    dash: Dash,
) -> Result<T, clap::Error> {
    let mut command = go_style(command);
    let matches = command.try_get_matches_from_mut(go_spellings(args, &command.clone(), dash))?;
    T::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The name of the subcommand that `args` are for, however wrong its flags are; the program's if they name none.
pub fn subcommand(command: &Command, args: impl Iterator<Item = OsString>, dash: Dash) -> String {
    spelling::innermost(args, &go_style(command.clone()), dash)
}

/// Makes the flags of `command` and its subcommands behave as Go's: a repeated flag's last value wins (a
/// list still collects all), values may begin with `-`, and a switch takes `--flag` and `--flag=VALUE` with
/// the values of [`go_bool`].
pub fn go_style(command: Command) -> Command {
    command.args_override_self(true).mut_args(go_flag).mut_subcommands(go_style)
}

fn go_flag(arg: Arg) -> Arg {
    let named = arg.get_long().is_some() || arg.get_short().is_some();
    let of_bools = arg.get_value_parser().type_id() == TypeId::of::<bool>();
    match arg.get_action() {
        ArgAction::SetTrue if arg.get_default_values().is_empty() => switch(arg).default_value("false"),
        ArgAction::SetTrue => switch(arg),
        ArgAction::Set if named && of_bools => switch(arg),
        action if named && action.takes_values() => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

/// `--flag true` is a flag and an argument, as in Go, hence the equals sign.
fn switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("BOOL")
        .default_missing_value("true")
        .hide_default_value(true)
        .value_parser(go_bool)
}

/// Why a text is no boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write true or false")]
pub struct InvalidBool;

/// Go's strconv.ParseBool. Usable as a clap value parser.
///
/// # Errors
/// [`InvalidBool`] for any other text.
pub fn go_bool(text: &str) -> Result<bool, InvalidBool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(InvalidBool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GoDuration;
    use clap::Subcommand;

    #[derive(Debug, Parser, PartialEq)]
    #[command(name = "gate", version = "1.2.3")]
    struct Args {
        #[arg(long, default_value = "10s")]
        dial_timeout: GoDuration,
        #[arg(long, default_value = ":80")]
        listen: String,
        #[arg(long)]
        enable_compression: bool,
        #[arg(short = 'H', long = "headers")]
        header: Vec<String>,
        #[arg(short)]
        quiet: bool,
        #[arg(long)]
        resume: Option<bool>,
        #[arg(long, default_value_t = true)]
        keep: bool,
        #[arg(long)]
        dump_tcp: Option<u8>,
        file: Option<String>,
        #[command(subcommand)]
        action: Option<Action>,
    }

    #[derive(Debug, Subcommand, PartialEq)]
    enum Action {
        Check {
            #[arg(long)]
            dry_run: bool,
            url: String,
        },
        Run {
            #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
            command: Vec<String>,
        },
    }

    fn read(line: &str, dash: Dash) -> Result<Args, clap::Error> {
        parse(["gate"].into_iter().chain(line.split_whitespace()).map(OsString::from), dash)
    }

    fn defaults() -> Args {
        read("", Dash::Double).unwrap()
    }

    #[test]
    fn reads_what_go_read() {
        assert!(defaults().keep && !defaults().enable_compression && defaults().resume.is_none());
        let seconds = |n| GoDuration(std::time::Duration::from_secs(n));
        let text = |s: &str| s.to_owned();
        let on = || Args { enable_compression: true, ..defaults() };
        let table = [
            ("--dial_timeout 5s", Args { dial_timeout: seconds(5), ..defaults() }),
            ("-dial_timeout=5s", Args { dial_timeout: seconds(5), ..defaults() }),
            ("-dial-timeout 5s --dial_timeout=6s", Args { dial_timeout: seconds(6), ..defaults() }),
            ("-listen -x_y", Args { listen: text("-x_y"), ..defaults() }),
            ("-listen --dump_tcp", Args { listen: text("--dump_tcp"), ..defaults() }),
            ("-listen -- --dump_tcp=1", Args { listen: text("--"), dump_tcp: Some(1), ..defaults() }),
            ("--listen=a_b=c", Args { listen: text("a_b=c"), ..defaults() }),
            ("-H -a_b -H --listen", Args { header: vec![text("-a_b"), text("--listen")], ..defaults() }),
            ("-qH -listen -H-listen", Args { quiet: true, header: vec![text("-listen"); 2], ..defaults() }),
            ("-enable_compression", on()),
            ("--enable_compression=T --dump_tcp 2", Args { dump_tcp: Some(2), ..on() }),
            ("--enable_compression=1 --enable_compression=FALSE", defaults()),
            ("-enable_compression false", Args { file: Some(text("false")), ..on() }),
            ("-q=true -q=0", defaults()),
            ("-resume -keep", Args { resume: Some(true), ..defaults() }),
            ("--resume=0 --keep=false", Args { resume: Some(false), keep: false, ..defaults() }),
            ("-- -dump_tcp", Args { file: Some(text("-dump_tcp")), ..defaults() }),
            (
                "-dump_tcp 1 check -dry_run a_b",
                Args {
                    dump_tcp: Some(1),
                    action: Some(Action::Check { dry_run: true, url: text("a_b") }),
                    ..defaults()
                },
            ),
            (
                "run mysql --dial_timeout -dump_tcp",
                Args {
                    action: Some(Action::Run {
                        command: vec![text("mysql"), text("--dial_timeout"), text("-dump_tcp")],
                    }),
                    ..defaults()
                },
            ),
        ];
        for (line, expected) in table {
            assert_eq!(read(line, Dash::Single).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn double_dash_means_what_it_says() {
        assert!(read("-dump_tcp 1", Dash::Double).is_err());
        assert_eq!(read("--dump_tcp 1", Dash::Double).unwrap().dump_tcp, Some(1));
    }

    #[test]
    fn errors_show_what_was_written() {
        for (line, part) in [
            ("--no_such=1", "--no_such"),
            ("-dial_timeout=5", "missing unit, write 10s"),
            ("--enable_compression=yes", "write true or false"),
            ("check -dump_tcp 1", "-d"),
        ] {
            let text = read(line, Dash::Single).unwrap_err().to_string();
            assert!(text.contains(part), "{line}: {text}");
        }
        let version = read("-version", Dash::Single).unwrap_err();
        assert_eq!((version.exit_code(), version.to_string().as_str()), (0, "gate 1.2.3\n"));
    }

    #[test]
    fn reads_go_booleans() {
        for (text, value) in [("1", Ok(true)), ("T", Ok(true)), ("f", Ok(false)), ("False", Ok(false))] {
            assert_eq!(go_bool(text), value);
        }
        assert!(["", "yes", "tRUE", "2"].iter().all(|text| go_bool(text).is_err()));
    }
}
