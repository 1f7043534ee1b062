//! The stages of `wsgate-server`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr)] // the one place that prints an error

use std::process::ExitCode;

use anyhow::Context;
use daemon::argv::Dash;
use daemon::exit::{Failure, Stage};
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use monitor::health::health;
use monitor::plugin::mackerel;
use monitor::{Busy, StatusListener, flags};
use wsgate_server::{Args, Command, Config, Dev, Metrics, PROGRAM, run};

fn main() -> ExitCode {
    let mut args: Args = match flags::parse(PROGRAM, std::env::args_os(), Dash::Single) {
        Ok(args) => args,
        Err(refused) => return refused.print(),
    };
    if let Some(command) = args.command.take() {
        return perform(command);
    }
    args.log.init();
    match stages(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wsgate-server: {failure:#}");
            failure.code()
        }
    }
}

/// Neither needs a runtime.
fn perform(command: Command) -> ExitCode {
    let said = match command {
        Command::Mackerel(args) => mackerel(&args, &Metrics::declare().1, |name| std::env::var(name).ok()),
        Command::Health(args) => health(&args, PROGRAM),
    };
    said.print(PROGRAM.name)
}

fn stages(args: Args) -> Result<(), Failure> {
    let descriptors = daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    runtime.block_on(async {
        let (mut config, dev) = Config::from_args(args, descriptors).configuring()?;
        let stop = Stop::on_signals(config.shutdown_timeout, "tunnels").running()?;
        let (sockets, for_status) = Sockets::open_beside_status(&config.listen).await.configuring()?;
        let busy = Busy::with_inherited(sockets.inherited);
        let status = StatusListener::open(config.status_listen.clone(), for_status, busy).await;
        let status = status.context("--status-listen").configuring()?;
        let _dev = match dev {
            Some(dev) => Some(Dev::start(dev, &mut config, &sockets).await.running()?),
            None => None,
        };
        run(config, sockets, status, stop).await;
        Ok(())
    })
}
