//! A local connection, from its acceptance to its log line.

use std::error::Error;
use std::time::Duration;

use daemon::stop::Stop;
use relay::{Ended, Leg, Side, Socket, Why};
use tokio::time::Instant;
use tunnel::{Settings, Wire, carry};

use crate::attempt::attempt;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::retry::{Budget, GivenUp, Success, repeat};
use crate::stream::Stream;

/// How long the last control frames may take to be written.
const CONTROL: Duration = Duration::from_secs(10);

/// Opens a tunnel to `gateway` and carries `local` through it. Without a tunnel `local` is reset.
pub(crate) async fn serve(config: &Config, gateway: &Endpoint, mut local: Socket, stop: &Stop) {
    // In a box that is gone when the tunnel is open: an idle tunnel shall not carry the state of its set-up.
    match Box::pin(open(config, gateway, local.failed(), stop)).await {
        Some(wire) => {
            let settings = Settings {
                control_timeout: CONTROL,
                limits: tunnel::Limits::default(),
                stop: stop.now.clone(),
                meter: relay::Meter::default(),
                tap: None,
                round_trip: None,
            };
            log(&carry(local, wire, settings).await);
        }
        None => local.reset_on_drop(),
    }
}

/// Opens a tunnel to `gateway` and carries `local`, which cannot be watched, through it. True if it ended in
/// order.
pub(crate) async fn carry_one(config: &Config, gateway: &Endpoint, local: impl Leg, stop: &Stop) -> bool {
    let opening = Box::pin(open(config, gateway, std::future::pending(), stop));
    let Some(wire) = opening.await else { return false };
    let settings = Settings {
        control_timeout: CONTROL,
        limits: tunnel::Limits::default(),
        stop: stop.now.clone(),
        meter: relay::Meter::default(),
        tap: None,
        round_trip: None,
    };
    let ended = carry(local, wire, settings).await;
    log(&ended);
    ended.why.is_orderly()
}

/// Attempts until there is a tunnel. Ends early if the application is `gone`, or all is to end;
/// an application that has merely shut down its half waits for an answer. The local socket is not read
/// meanwhile: what it sends stays with the kernel.
async fn open(
    config: &Config,
    gateway: &Endpoint,
    gone: impl Future<Output = ()>,
    stop: &Stop,
) -> Option<Wire<Stream>> {
    let begun = Instant::now();
    let budget = Budget::new(config.connect_timeout);
    let result = tokio::select! {
        biased;
        () = stop.now.cancelled() => {
            tracing::info!("tunnel not opened: stopped");
            return None;
        }
        () = gone => {
            tracing::info!("tunnel not opened: the application is gone");
            return None;
        }
        result = repeat(budget, || attempt(config, gateway, budget)) => result,
    };
    match result {
        Ok(Success { result: wire, attempts }) => {
            let setup_ms = begun.elapsed().as_millis() as u64;
            let proxy = config.proxy_for(gateway).map(tracing::field::display);
            tracing::info!(setup_ms, attempts, proxy, "tunnel opened");
            Some(wire)
        }
        Err(GivenUp { error, attempts }) => {
            tracing::warn!(attempts, error = &error as &dyn Error, "tunnel not opened");
            None
        }
    }
}

/// The end of a tunnel. What the peers or an operator do is no reason to warn.
fn log(Ended { up, down, by, why, lasted }: &Ended) {
    let seconds = (lasted.as_secs_f64() * 1000.0).round() / 1000.0;
    let ours = *by == Side::Here && *why != Why::Stopped;
    let by = by.name();
    match ours {
        true => tracing::warn!(up, down, seconds, by, %why, "tunnel closed"),
        false => tracing::info!(up, down, seconds, by, %why, "tunnel closed"),
    }
}
