//! The stages of `sabo`: parse, run or look, exit status.

use std::process::ExitCode;

use daemon::argv::{self, Dash};
use daemon::exit::Failure;
use sabo::{Action, Args, Config, Ended, ctl, run, say, status, top};

fn main() -> ExitCode {
    let args: Args = match argv::parse(std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    match stages(args) {
        Ok(ended) => ended.code(),
        Err(failure) => {
            say::line(&format!("{failure:#}"));
            failure.code()
        }
    }
}

fn stages(mut args: Args) -> Result<Ended, Failure> {
    match args.action.take() {
        None => return run(Config::from_args(args)?),
        Some(Action::Top(look)) => top(&look)?,
        Some(Action::Status { look, json }) => status(&look, json)?,
        Some(Action::Ctl(change)) => ctl(&change)?,
    }
    Ok(Ended::Well)
}
