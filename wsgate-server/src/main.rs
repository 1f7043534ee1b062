//! The stages of `wsgate-server`: parse, log, configure, bind, run, exit code.
#![allow(clippy::print_stderr)] // the one place that prints an error

use std::process::ExitCode;

use daemon::argv::{self, Dash};
use daemon::exit::{Failure, Stage};
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use wsgate_server::{Args, Config, Dev, run};

fn main() -> ExitCode {
    let args: Args = match argv::parse(std::env::args_os(), Dash::Single) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    args.log.init();
    match stages(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wsgate-server: {failure:#}");
            failure.code()
        }
    }
}

fn stages(args: Args) -> Result<(), Failure> {
    let descriptors = daemon::limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().running()?;
    runtime.block_on(async {
        let (mut config, dev) = Config::from_args(args, descriptors).configuring()?;
        let stop = Stop::on_signals(config.shutdown_timeout, "tunnels").running()?;
        let sockets = Sockets::open(&config.listen).await.configuring()?;
        let _dev = match dev {
            Some(dev) => Some(Dev::start(dev, &mut config, &sockets).await.running()?),
            None => None,
        };
        run(config, sockets, stop).await;
        Ok(())
    })
}
