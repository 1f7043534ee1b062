//! A local connection, from its acceptance to its log line.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::stop::Stop;
use relay::{Ended, Leg, Meter, Side, Socket, Why};
use tunnel::{RoundTrip, Settings, Wire, carry};

use crate::attempt::attempt;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::retry::{Budget, GivenUp, Success, repeat};
use crate::service::{Caller, Open, Service};
use crate::stream::Stream;

/// How long the last control frames may take to be written.
const CONTROL: Duration = Duration::from_secs(10);

/// A tunnel.
pub(crate) struct Opened {
    wire: Wire<Stream>,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
}

/// Why there is none.
pub(crate) enum Unopened {
    /// All is to end.
    Stopped,
    /// The application has left.
    Gone,
    GivenUp(GivenUp),
}

/// Opens a tunnel to the gateway of `caller` and carries `local` through it. Without a tunnel `local` is reset.
pub(crate) async fn serve(service: &Service, caller: Caller, mut local: Socket) {
    let Service { config, stop, metrics, .. } = service;
    let waiting = metrics.waiting.hold();
    // In a box that is gone when the tunnel is open: an idle tunnel shall not carry the state of its set-up.
    let result = Box::pin(open(config, &caller.gateway, local.failed(), stop)).await;
    drop(waiting);
    metrics.count_opening(&result);
    let Ok(Opened { wire, .. }) = result else { return local.reset_on_drop() };
    let meter = service.meter.part();
    let open = Open { caller, meter: meter.clone(), since: Instant::now() };
    let entered = (service.open.enter(Arc::new(open)), metrics.sessions.hold());
    let ended = carry(local, wire, settings(stop, meter, Some(metrics.round_trips.clone()))).await;
    drop(entered);
    metrics.count_end(&ended);
    log(&ended);
}

/// Opens a tunnel to `gateway` and carries `local`, which cannot be watched, through it. True if it ended in
/// order.
pub(crate) async fn carry_one(config: &Config, gateway: &Endpoint, local: impl Leg, stop: &Stop) -> bool {
    let opening = Box::pin(open(config, gateway, std::future::pending(), stop));
    let Ok(Opened { wire, .. }) = opening.await else { return false };
    let ended = carry(local, wire, settings(stop, Meter::default(), None)).await;
    log(&ended);
    ended.why.is_orderly()
}

fn settings(stop: &Stop, meter: Meter, round_trip: Option<RoundTrip>) -> Settings {
    Settings {
        control_timeout: CONTROL,
        limits: tunnel::Limits::default(),
        stop: stop.now.clone(),
        meter,
        tap: None,
        round_trip,
    }
}

/// Attempts until there is a tunnel. Ends early if the application is `gone`, or all is to end;
/// an application that has merely shut down its half waits for an answer. The local socket is not read
/// meanwhile: what it sends stays with the kernel.
async fn open(
    config: &Config,
    gateway: &Endpoint,
    gone: impl Future<Output = ()>,
    stop: &Stop,
) -> Result<Opened, Unopened> {
    let begun = Instant::now();
    let budget = Budget::new(config.connect_timeout);
    let result = tokio::select! {
        biased;
        () = stop.now.cancelled() => {
            tracing::info!("tunnel not opened: stopped");
            return Err(Unopened::Stopped);
        }
        () = gone => {
            tracing::info!("tunnel not opened: the application is gone");
            return Err(Unopened::Gone);
        }
        result = repeat(budget, || attempt(config, gateway, budget)) => result,
    };
    match result {
        Ok(Success { result: wire, attempts }) => {
            let took = begun.elapsed();
            let setup_ms = took.as_millis() as u64;
            let proxy = config.proxy_for(gateway).map(tracing::field::display);
            tracing::info!(setup_ms, attempts, proxy, "tunnel opened");
            Ok(Opened { wire, attempts, took })
        }
        Err(given_up) => {
            let GivenUp { error, attempts } = &given_up;
            tracing::warn!(attempts, error = error as &dyn Error, "tunnel not opened");
            Err(Unopened::GivenUp(given_up))
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
