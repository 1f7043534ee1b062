//! Measures the real programs, and what a user would pick instead, side by side on this machine.
//!
//! ```text
//!   args ─► contestants ─► round: each is started anew, measured, ended  (A B A B …)
//!                            │
//!                            └─► board: a row a measure ─► table: median, spread, ratio to the first
//! ```
//!
//! An absolute figure means nothing on a shared machine; the ratios do, and of them those of CPU time most.
//! Modules in reading order: `args`, `tunnel` (what is measured), `load` (who sends and receives), `process`
//! (programs and what they use), `board` and `table` (what came out).

mod args;
mod board;
mod load;
mod process;
mod table;
mod tunnel;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use args::{Args, Output, Subject};
use board::Board;

fn main() -> ExitCode {
    match measure(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr)] // the one place that does
            {
                eprintln!("bench: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn measure(args: Args) -> Result<()> {
    match args.subject {
        Subject::Tunnel(args) => print(&tunnel::measure(&args)?, &args.output),
    }
}

fn print(board: &Board, output: &Output) -> Result<()> {
    #[allow(clippy::print_stdout)] // the result is the program's output
    {
        print!("{}", table::text(board));
    }
    let Some(file) = &output.markdown else { return Ok(()) };
    std::fs::write(file, table::markdown(board)).with_context(|| format!("cannot write {}", file.display()))
}
