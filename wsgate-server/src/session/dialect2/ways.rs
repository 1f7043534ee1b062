//! What the task of a session waits for, wherever its WebSocket is.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tunnel::close;
use tunnel::dialect2::{Cut, ResetCode, Turn, WebSocket};

use super::{Running, Upgrading, Way};
use crate::stream::Stream;

impl Running {
    pub(super) async fn upgrading(&mut self, mut upgrading: Box<Upgrading>) -> Way {
        let told_to_end = self.told_to_end();
        loop {
            tokio::select! {
                wire = &mut upgrading.upgraded => return match wire {
                    Ok(wire) => {
                        self.opened(upgrading.back.as_deref());
                        Way::Open(Box::new(WebSocket::new(upgrading.link, wire)))
                    }
                    Err(error) => {
                        tracing::debug!(session = self.about.session, error = %format!("{error:#}"), "no upgrade");
                        self.not_upgraded()
                    }
                },
                Some(back) = self.returns.recv() => {
                    if let Some(next) = self.take_over(*back) {
                        return Way::Upgrading(next);
                    }
                }
                _ = self.carrier.detached() => return Way::Over,
                () = told_to_end.cancelled() => return self.end(ResetCode::BUDGET),
            }
        }
    }

    fn not_upgraded(&mut self) -> Way {
        let kept = self.carrier.session().detach(Instant::now());
        // A session whose client has never heard of it is nothing to come back to.
        if kept && self.entered.is_some() { self.detached(Cut::Failed) } else { Way::Over }
    }

    pub(super) async fn carrying(&mut self, mut websocket: Box<WebSocket<Stream>>) -> Way {
        let told_to_end = self.told_to_end();
        let resumable = self.entry.is_some();
        let renewal = self.gate.config.keeping.reauth_interval.filter(|_| resumable);
        let mut renewal = pin!(due(renewal.and_then(|interval| Instant::now().checked_add(interval))));
        let (mut told, mut renewing) = (false, false);
        loop {
            tokio::select! {
                turn = self.carrier.over(&mut websocket) => match turn {
                    Turn::Over(_) => return Way::Over,
                    Turn::Cut(cut) => return self.detached(cut),
                    Turn::ToldToGo(_) => {} // a client's to hear
                },
                Some(back) = self.returns.recv() => {
                    if let Some(next) = self.take_over(*back) {
                        tokio::spawn(websocket.dismiss(close::TAKEN_OVER));
                        return Way::Upgrading(next);
                    }
                }
                () = told_to_end.cancelled(), if !told => {
                    told = true;
                    self.carrier.session().reset(ResetCode::BUDGET, "");
                }
                () = &mut renewal, if !renewing => {
                    renewing = true;
                    websocket.link().close(close::RENEW);
                }
            }
        }
    }

    /// The WebSocket is gone, and the session is kept if there is room.
    fn detached(&mut self, cut: Cut) -> Way {
        let memory = self.carrier.session().memory();
        let (up, down) = (self.meter.up(), self.meter.down());
        if self.entry.as_ref().is_some_and(|entry| entry.detach(memory)) {
            self.about.detached(cut, up, down);
            return Way::Detached;
        }
        self.about.detach_refused(cut);
        self.end(ResetCode::BUDGET)
    }

    pub(super) async fn waiting(&mut self) -> Way {
        let _counted = self.gate.metrics.detached.hold();
        self.show_detached(true);
        let way = self.wait().await;
        self.show_detached(false);
        if let Some(entry) = &self.entry {
            entry.attach();
        }
        way
    }

    async fn wait(&mut self) -> Way {
        let told_to_end = self.told_to_end();
        let mut grace = pin!(due(self.carrier.session().expires(self.grace)));
        loop {
            tokio::select! {
                Some(back) = self.returns.recv() => {
                    if let Some(next) = self.take_over(*back) {
                        return Way::Upgrading(next);
                    }
                }
                _ = self.carrier.detached() => return Way::Over,
                () = &mut grace => {
                    self.about.expired();
                    return self.end(ResetCode::GRACE);
                }
                () = told_to_end.cancelled() => return self.end(ResetCode::BUDGET),
            }
        }
    }

    fn show_detached(&self, detached: bool) {
        if let Some(entered) = &self.entered {
            entered.open.detached.store(detached, Relaxed);
        }
    }

    /// Never cancelled if the session cannot be detached.
    fn told_to_end(&self) -> CancellationToken {
        self.entry.as_ref().map(|entry| entry.told_to_end().clone()).unwrap_or_default()
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
