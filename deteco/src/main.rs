//! The stages of `deteco`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr)] // the one place that prints

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use daemon::argv::Dash;
use daemon::exit::{Failure, Stage};
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use deteco::explain::explain;
use deteco::nginx_check::nginx_check;
use deteco::nginx_conf::nginx_conf;
use deteco::{Args, CheckArgs, Command, Config, Doors, Metrics, PROGRAM, Rules, check, run};
use monitor::health::health;
use monitor::plugin::mackerel;
use monitor::{Busy, StatusListener, flags};

fn main() -> ExitCode {
    let mut args: Args = match flags::parse(PROGRAM, std::env::args_os(), Dash::Single) {
        Ok(args) => args,
        Err(refused) => return refused.print(),
    };
    let done = match command(&mut args) {
        Some(command) => {
            args.log.init_quietly();
            perform(command)
        }
        None => {
            args.log.init();
            serve(args).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("deteco: {failure:#}");
        failure.code()
    })
}

/// What there is to do instead of serving.
fn command(args: &mut Args) -> Option<Command> {
    let conf = args.conf.clone().filter(|_| args.dry_run);
    let state_dir = args.state_dir.clone();
    args.command.take().or(conf.map(|conf| Command::Check(CheckArgs { conf, state_dir })))
}

/// Prints what a tool has to say; 1 if that is a no.
fn perform(command: Command) -> Result<ExitCode, Failure> {
    let (text, good) = match command {
        Command::Check(args) => {
            let checked = check(&args).configuring()?;
            checked.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
            (checked.report, true)
        }
        Command::Explain(args) => {
            let explained = explain(&args).configuring()?;
            (explained.text, explained.allowed)
        }
        Command::NginxConf(args) => (nginx_conf(&args).configuring()?, true),
        Command::NginxCheck(args) => {
            let report = nginx_check(&args).configuring()?;
            (report.to_string(), report.is_good())
        }
        Command::Mackerel(args) => {
            let env = |name: &str| std::env::var(name).ok();
            return Ok(mackerel(&args, &Metrics::declare().1, env).print(PROGRAM.name));
        }
        Command::Health(args) => return Ok(health(&args, PROGRAM).print(PROGRAM.name)),
    };
    stdout().write_all(text.as_bytes()).context("stdout").running()?; // print! panics if it is a closed pipe
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve(args: Args) -> Result<(), Failure> {
    let descriptors = daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    runtime.block_on(async {
        let (config, rules) = Config::from_args(args, descriptors).configuring()?;
        let rules = Rules::start(rules).configuring()?;
        for warning in &rules.warnings {
            tracing::warn!("{warning}");
        }
        let stop = Stop::on_signals(config.shutdown_timeout, "connections").running()?;
        let (service, for_status) = Sockets::open_beside_status(&config.listen).await.configuring()?;
        let busy = Busy::with_inherited(service.inherited);
        let status = StatusListener::open(config.status_listen.clone(), for_status, busy).await;
        let status = status.context("--status-listen").configuring()?;
        run(config, rules, Doors { service, status }, stop).await;
        Ok(())
    })
}
