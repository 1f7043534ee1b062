//! A local connection, from its acceptance to its log line.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::stop::Stop;
use relay::{Ended, Leg, Meter, Side, Socket, Why};
use tunnel::{RoundTrip, Settings, carry};

use crate::attempt::Way;
use crate::metrics::Metrics;
use crate::resume::{Agreed, Begin, Closed, Life, Resuming};
use crate::retry::{Budget, GivenUp, Success, repeat};
use crate::service::{Caller, Open, Service};
use crate::upgrade::Granted;
use crate::wakes::{SleepWatch, Wakes};

/// How long the last control frames may take to be written.
const CONTROL: Duration = Duration::from_secs(10);

/// A tunnel.
pub(crate) struct Opened {
    granted: Granted,
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
    let gateway = caller.gateway.clone();
    let way = Way { config, gateway: &gateway };
    let waiting = metrics.waiting.hold();
    // In a box that is gone when the tunnel is open: an idle tunnel shall not carry the state of its set-up.
    let result = Box::pin(open(way, local.failed(), stop)).await;
    drop(waiting);
    metrics.count_opening(&result);
    let Ok(Opened { granted, .. }) = result else { return local.reset_on_drop() };
    let (meter, life) = (service.meter.part(), Life::new(metrics.lives.clone()));
    let dialect = granted.dialect();
    let open = Open { caller, meter: meter.clone(), since: Instant::now(), dialect, life: life.clone() };
    let entered = (service.open.enter(Arc::new(open)), metrics.sessions.hold());
    let settings = settings(stop, meter, Some(metrics.round_trips.clone()));
    let closed = carried(way, local, granted, settings, service.sleep.wakes(), life).await;
    drop(entered);
    metrics.count_end(&closed.ended);
    log(&closed, dialect);
}

/// Opens a tunnel to the gateway and carries `local`, which cannot be watched, through it. True if it ended in
/// order.
pub(crate) async fn carry_one(way: Way<'_>, local: impl Leg, stop: &Stop) -> bool {
    let opening = Box::pin(open(way, std::future::pending(), stop));
    let Ok(Opened { granted, .. }) = opening.await else { return false };
    let sleep = SleepWatch::start();
    let life = Life::new(Metrics::declare().0.lives);
    let (dialect, settings) = (granted.dialect(), settings(stop, Meter::default(), None));
    let closed = carried(way, local, granted, settings, sleep.wakes(), life).await;
    log(&closed, dialect);
    closed.ended.why.is_orderly()
}

/// In a box of the size that its dialect needs: a tunnel of the one does not carry the state of the other.
fn carried<'w, L: Leg + 'w>(
    way: Way<'w>,
    local: L,
    granted: Granted,
    settings: Settings,
    wakes: Wakes,
    life: Life,
) -> Pin<Box<dyn Future<Output = Closed> + Send + 'w>> {
    let Granted { wire, tunnel, cookies } = granted;
    let Some(header) = tunnel else {
        let carrying = Box::pin(carry(local, wire, settings));
        return Box::pin(async { Closed { ended: carrying.await, resumes: 0 } });
    };
    let offer = &way.config.offer;
    let agreed = Agreed::on(offer, &header, &cookies);
    let begin = Begin { way, wire, agreed, budget: &offer.budget, settings, wakes, life };
    Box::pin(Resuming::new(local, begin).carry())
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
async fn open(way: Way<'_>, gone: impl Future<Output = ()>, stop: &Stop) -> Result<Opened, Unopened> {
    let begun = Instant::now();
    let budget = Budget::new(way.config.connect_timeout);
    let wanted = way.config.offer.wanted();
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
        result = repeat(budget, || way.attempt(budget, &wanted)) => result,
    };
    match result {
        Ok(Success { result: granted, attempts }) => {
            let took = begun.elapsed();
            let setup_ms = took.as_millis() as u64;
            let proxy = way.config.proxy_for(way.gateway).map(tracing::field::display);
            tracing::info!(setup_ms, attempts, dialect = granted.dialect(), proxy, "tunnel opened");
            Ok(Opened { granted, attempts, took })
        }
        Err(given_up) => {
            let GivenUp { error, attempts } = &given_up;
            tracing::warn!(attempts, error = error as &dyn Error, "tunnel not opened");
            Err(Unopened::GivenUp(given_up))
        }
    }
}

/// The end of a tunnel. What the peers or an operator do is no reason to warn.
fn log(Closed { ended, resumes }: &Closed, dialect: u8) {
    let Ended { up, down, by, why, lasted } = ended;
    let resumes = (dialect == 2).then_some(*resumes);
    let seconds = (lasted.as_secs_f64() * 1000.0).round() / 1000.0;
    let ours = *by == Side::Here && *why != Why::Stopped;
    let by = by.name();
    match ours {
        true => tracing::warn!(up, down, seconds, by, %why, resumes, "tunnel closed"),
        false => tracing::info!(up, down, seconds, by, %why, resumes, "tunnel closed"),
    }
}
