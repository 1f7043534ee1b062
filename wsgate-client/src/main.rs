//! The stages of `wsgate-client`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr)] // the one place that prints an error

use std::process::ExitCode;

use daemon::argv::{self, Dash};
use daemon::exit::{Failure, Stage};
use daemon::reload::Watch;
use daemon::stop::Stop;
use wsgate_client::{Args, Config, Forwards, Work, run};

fn main() -> ExitCode {
    let args: Args = match argv::parse(std::env::args_os(), Dash::Double) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    args.log.init();
    match stages(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wsgate-client: {failure:#}");
            failure.code()
        }
    }
}

fn stages(args: Args) -> Result<(), Failure> {
    daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    runtime.block_on(async {
        let watch = Watch::new("map and files", args.watched()).refuse_empty();
        let (config, work) = Config::from_args(args).configuring()?;
        match work {
            Work::Listen(map) => {
                let watch = watch.on_hangup().running()?;
                config.first_token().await.running()?;
                let stop = Stop::on_signals(config.shutdown_timeout, "tunnels").running()?;
                let forwards = Forwards::bind(&config, &map).await.configuring()?;
                run(config, forwards, stop, Some(watch)).await;
                Ok(())
            }
            Work::Stdio(_) | Work::Check(_) => Ok(()),
        }
    })
}
