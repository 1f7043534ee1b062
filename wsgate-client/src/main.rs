//! The stages of `wsgate-client`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr)] // the one place that prints an error

use std::process::ExitCode;

use anyhow::Context;
use daemon::argv::Dash;
use daemon::exit::{Failure, Stage};
use daemon::reload::Watch;
use daemon::stop::Stop;
use monitor::health::health;
use monitor::plugin::mackerel;
use monitor::{Busy, StatusListener, flags};
use wsgate_client::stdio::{self, Pipes};
use wsgate_client::{Args, Command, Config, Forwards, Metrics, PROGRAM, Work, check, run};

fn main() -> ExitCode {
    let args: Args = match flags::parse(PROGRAM, std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(refused) => return refused.print(),
    };
    if let Some(done) = perform(&args) {
        return done;
    }
    match args.command.is_some() || args.stdio.is_some() {
        true => args.log.init_quietly(),
        false => args.log.init(),
    }
    match stages(args) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("wsgate-client: {failure:#}");
            failure.code()
        }
    }
}

/// What there is to ask a client that runs; it needs no runtime.
fn perform(args: &Args) -> Option<ExitCode> {
    let said = match args.command.as_ref()? {
        Command::Mackerel(args) => mackerel(args, &Metrics::declare().1, |name| std::env::var(name).ok()),
        Command::Health(args) => health(args, PROGRAM),
        Command::Check { .. } => return None,
    };
    Some(said.print(PROGRAM.name))
}

fn stages(args: Args) -> Result<ExitCode, Failure> {
    daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    let code = runtime.block_on(async {
        let watch = Watch::new("map and files", args.watched()).refuse_empty();
        let (config, work) = Config::from_args(args).configuring()?;
        match work {
            Work::Listen(map) => {
                let watch = watch.on_hangup().running()?;
                config.first_token().await.running()?;
                let stop = Stop::on_signals(config.shutdown_timeout, "tunnels").running()?;
                let forwards = Forwards::bind(&config, &map).await.configuring()?;
                let at = config.status_listen.clone();
                let status = StatusListener::open(at, Vec::new(), Busy::Fails).await;
                let status = status.context("--status-listen").configuring()?;
                run(config, forwards, status, stop, Some(watch)).await;
                Ok(ExitCode::SUCCESS)
            }
            Work::Stdio(gateway) => {
                let end = stdio::ended_by_signals().running()?;
                let pipes = Pipes::standard().context("stdin, stdout").running()?;
                Ok(code(stdio::stdio(&config, &gateway, pipes, end).await))
            }
            Work::Check(gateway) => Ok(code(check(&config, &gateway, std::io::stdout()).await)),
        }
    });
    runtime.shutdown_background(); // a name that is still being looked up is not waited for
    code
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
