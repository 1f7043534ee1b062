//! The stages of `sabo`: parse, run or look, exit status.

use std::process::ExitCode;

use daemon::argv::Dash;
use daemon::exit::Failure;
use monitor::flags;
use sabo::{Action, Args, Config, PROGRAM, ctl, health, mackerel, metrics, run, say, status, top};

fn main() -> ExitCode {
    let args: Args = match flags::parse(PROGRAM, std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(refused) => return refused.print(),
    };
    match stages(args) {
        Ok(code) => code,
        Err(failure) => {
            say::line(&format!("{failure:#}"));
            failure.code()
        }
    }
}

fn stages(mut args: Args) -> Result<ExitCode, Failure> {
    match args.action.take() {
        None => return Ok(run(Config::from_args(args)?)?.code()),
        Some(Action::Top(look)) => top(&look)?,
        Some(Action::Status { look, json }) => status(&look, json)?,
        Some(Action::Ctl(change)) => ctl(&change)?,
        Some(Action::Mackerel(args)) => {
            return Ok(mackerel(&args, |name| std::env::var(name).ok()).print(PROGRAM.name));
        }
        Some(Action::Metrics(args)) => metrics(&args)?,
        Some(Action::Health(args)) => return Ok(health(&args).print(PROGRAM.name)),
    }
    Ok(ExitCode::SUCCESS)
}
