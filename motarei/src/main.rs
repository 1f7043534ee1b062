//! The stages of `motarei`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr, clippy::print_stdout)] // the one place that prints

use std::process::ExitCode;
use std::time::Duration;

use daemon::argv::{self, Dash};
use daemon::exit::{Failure, Stage};
use daemon::stop::Stop;
use motarei::status::{StatusAddress, ask, show};
use motarei::{Args, Command, Config, Sockets, run};

/// Each connection has a shorter time to drain of its own, `--drain` or its container's label.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> ExitCode {
    let args: Args = match argv::parse(std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    match args.command.is_some() {
        true => args.log.init_quietly(),
        false => args.log.init(),
    }
    match stages(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("motarei: {failure:#}");
            failure.code()
        }
    }
}

fn stages(mut args: Args) -> Result<(), Failure> {
    let descriptors = daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    let done = runtime.block_on(async {
        match args.command.take() {
            None => proxy(args, descriptors).await,
            Some(Command::Status { status, json }) => {
                let document = ask(&StatusAddress::or_default(status).address).await.running()?;
                match json {
                    true => println!("{}", serde_json::to_string_pretty(&document).running()?),
                    false => print!("{}", show(&document)),
                }
                Ok(())
            }
        }
    });
    runtime.shutdown_background(); // a name that is still being looked up is not waited for
    done
}

async fn proxy(args: Args, descriptors: u64) -> Result<(), Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let config = Config::from_args(args, env, descriptors).configuring()?;
    let stop = Stop::on_signals(LONGEST_DRAIN, "connections").running()?;
    let sockets = Sockets::open(&config).await.configuring()?;
    run(config, sockets, stop).await;
    Ok(())
}
