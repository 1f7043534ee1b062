//! The stages of `motarei`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr, clippy::print_stdout)] // the one place that prints

use std::process::ExitCode;
use std::time::Duration;

use daemon::argv::Dash;
use daemon::exit::{Failure, Stage};
use daemon::stop::Stop;
use monitor::health::health;
use monitor::plugin::mackerel;
use monitor::{Said, flags};
use motarei::status::{StatusAddress, ask, show};
use motarei::{Args, Command, Config, Moment, PROGRAM, Sockets, check, registry, run, run_worker, wait};
use tokio::runtime::Builder;

/// Each connection has a shorter time to drain of its own, `--drain` or its container's label.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> ExitCode {
    let args: Args = match flags::parse(PROGRAM, std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(refused) => return refused.print(),
    };
    match &args.command {
        None => args.log.init(),
        Some(Command::Run(worker)) => worker.log.init(),
        Some(_) => args.log.init_quietly(),
    }
    match stages(args) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("motarei: {failure:#}");
            failure.code()
        }
    }
}

fn stages(mut args: Args) -> Result<u8, Failure> {
    let runtime = match args.command {
        None => Builder::new_multi_thread().enable_all().build().running()?,
        Some(_) => Builder::new_current_thread().enable_all().build().running()?,
    };
    let done = runtime.block_on(async {
        match args.command.take() {
            None => proxy(args).await.map(|()| 0),
            Some(command) => other(command).await,
        }
    });
    runtime.shutdown_background(); // a name that is still being looked up is not waited for
    done
}

/// What is no proxy: the exit status.
async fn other(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => return run_worker(args).await,
        Command::Wait(args) => println!("{}", wait(args).await.running()?.join("\n")),
        Command::Check(args) => {
            let warnings = check(args, |name| std::env::var(name).ok()).await?;
            warnings.iter().for_each(|warning| println!("{warning}"));
            return Ok(u8::from(!warnings.is_empty()));
        }
        Command::Mackerel(args) => {
            return Ok(print(&mackerel(&args, &registry(), |name| std::env::var(name).ok())));
        }
        Command::Health(args) => return Ok(print(&health(&args, PROGRAM))),
        Command::Status { status, json, newest, label } => {
            let document = ask(&StatusAddress::or_default(status).address).await.running()?;
            match (json, newest) {
                (true, _) => println!("{}", serde_json::to_string_pretty(&document).running()?),
                (_, true) => println!("{}", Moment::newest(&document, &label).running()?),
                _ => print!("{}", show(&document)),
            }
        }
    }
    Ok(0)
}

fn print(said: &Said) -> u8 {
    said.print(PROGRAM.name);
    said.status
}

async fn proxy(args: Args) -> Result<(), Failure> {
    let descriptors = daemon::limits::raise_descriptors();
    let env = |name: &str| std::env::var(name).ok();
    let config = Config::from_args(args, env, descriptors).configuring()?;
    let stop = Stop::on_signals(LONGEST_DRAIN, "connections").running()?;
    let sockets = Sockets::open(&config).await.configuring()?;
    run(config, sockets, stop).await;
    Ok(())
}
