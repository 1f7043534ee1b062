//! The stages of `jwtgen`: parse, run, print, exit code.
#![allow(clippy::print_stdout, clippy::print_stderr)] // the one place that prints

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context;
use daemon::argv::{self, Dash};
use daemon::exit::{Failure, Stage};
use deteco::jwtgen::{Args, Reader, run};

fn main() -> ExitCode {
    let args: Args = match argv::parse(std::env::args_os(), Dash::Single) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    match stages(&args) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("jwtgen: {failure:#}");
            failure.code()
        }
    }
}

fn stages(args: &Args) -> Result<ExitCode, Failure> {
    let reader = if stdout().is_terminal() { Reader::Person } else { Reader::Program };
    let outcome = run(args, reader, SystemTime::now()).configuring()?;
    for warning in &outcome.warnings {
        eprintln!("jwtgen: warning: {warning}");
    }
    stdout().write_all(outcome.text.as_bytes()).context("stdout").running()?;
    Ok(if outcome.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
