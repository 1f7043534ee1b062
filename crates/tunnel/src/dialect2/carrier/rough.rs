//! Sessions over legs that behave as badly as legs may, and WebSockets that break within any frame, are
//! replaced while they work, and whose upgrades are lost. The seeds are fixed and the clock is paused: a
//! failure repeats.

use std::io::{ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use relay::{Ended, Why};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::*;
use crate::dialect2::{Budget, Link, NoResume, Terms};
use crate::legs::{Rough, far_end, payload, pipe, settings, within};
use crate::{Role, Wire, close};

/// An end of a pipe that breaks when so many bytes have gone through, both ways together.
struct Brittle(Rough, Arc<AtomicI64>);

fn brittle(rng: &mut StdRng) -> (Brittle, Brittle) {
    let (a, b) = pipe(rng);
    let most = if rng.random_bool(0.3) { 300 } else { 400_000 };
    let left = Arc::new(AtomicI64::new(rng.random_range(0..most)));
    (Brittle(a, left.clone()), Brittle(b, left))
}

impl Brittle {
    fn is_broken(&self) -> bool {
        self.1.load(Ordering::SeqCst) <= 0
    }
}

impl Leg for Brittle {
    fn reset_on_drop(&mut self) {
        self.0.reset_on_drop();
    }
}

impl AsyncRead for Brittle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.is_broken() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Brittle {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        if self.is_broken() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let result = Pin::new(&mut self.0).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = &result {
            self.1.fetch_sub(*n as i64, Ordering::SeqCst);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A resume on its way to the server.
struct Upgrade {
    received: u64,
    attempt: u32,
    stream: Brittle,
    answer: oneshot::Sender<std::result::Result<u64, NoResume>>,
}

fn terms(role: Role) -> Terms {
    Terms { role, window: 200_000, resume: true }
}

fn websocket(link: Link, stream: Brittle, role: Role) -> WebSocket<Brittle> {
    WebSocket::new(link, Wire { stream, early: Vec::new(), role })
}

/// The server: what a gateway does with a session, and with those who come back to it when it is over.
async fn server(local: Rough, stream: Brittle, mut upgrades: mpsc::Receiver<Upgrade>) -> Ended {
    let (session, link) = Session::new(terms(Role::Server), &Budget::new(1 << 24), Instant::now());
    let mut carrier = Carrier::new(local, session, settings());
    let mut current = Some(websocket(link, stream, Role::Server));
    let over = loop {
        let turn = tokio::select! {
            upgrade = upgrades.recv() => Err(upgrade),
            turn = async {
                match &mut current {
                    Some(websocket) => carrier.over(websocket).await,
                    None => Turn::Over(carrier.detached().await),
                }
            } => Ok(turn),
        };
        match turn {
            Ok(Turn::Over(over)) => break over,
            Ok(Turn::Cut(_)) => current = None,
            Ok(Turn::ToldToGo(_)) => unreachable!("a client says no such thing"),
            Err(None) => {
                carrier.session().reset(ResetCode::GRACE, "");
                break carrier.session().over().expect("it was just reset");
            }
            Err(Some(upgrade)) => {
                let received = carrier.session().received();
                match carrier.session().resume(upgrade.received, upgrade.attempt, Instant::now()) {
                    Ok(link) => {
                        if let Some(old) = current.replace(websocket(link, upgrade.stream, Role::Server)) {
                            tokio::spawn(old.dismiss(close::TAKEN_OVER));
                        }
                        let _ = upgrade.answer.send(Ok(received));
                    }
                    Err(why) => _ = upgrade.answer.send(Err(why)),
                }
            }
        }
    };
    drop(current);
    let ended = carrier.ended();
    let word = if over == Over::Finished { NoResume::Finished } else { NoResume::Reset };
    while let Some(upgrade) = upgrades.recv().await {
        let _ = upgrade.answer.send(Err(word));
    }
    ended
}

/// The client's way to another WebSocket.
struct Dialler {
    upgrades: mpsc::Sender<Upgrade>,
    rng: StdRng,
    attempt: u32,
}

impl Dialler {
    /// Sends an upgrade; it may get lost on its way, or its answer may.
    async fn dial(&mut self, received: u64) -> Option<(Brittle, std::result::Result<u64, NoResume>)> {
        sleep(Duration::from_millis(self.rng.random_range(0..300))).await;
        self.attempt += 1;
        if self.rng.random_ratio(1, 6) {
            return None;
        }
        let (near, stream) = brittle(&mut self.rng);
        let (answer, answered) = oneshot::channel();
        let upgrade = Upgrade { received, attempt: self.attempt, stream, answer };
        self.upgrades.send(upgrade).await.ok()?;
        let answer = answered.await.ok()?;
        (!self.rng.random_ratio(1, 6)).then_some((near, answer))
    }
}

/// The client: comes back when it was cut, and once in a while goes over to another WebSocket by itself.
async fn client(local: Rough, stream: Brittle, mut dialler: Dialler) -> Ended {
    let (session, link) = Session::new(terms(Role::Client), &Budget::new(1 << 24), Instant::now());
    let mut carrier = Carrier::new(local, session, settings());
    let mut current = Some(websocket(link, stream, Role::Client));
    loop {
        let pause = match current.is_some() {
            true => Duration::from_millis(dialler.rng.random_range(0..2_000)),
            false => Duration::ZERO,
        };
        let received = tokio::select! {
            turn = carry(&mut carrier, &mut current) => match turn {
                Turn::Over(_) => break,
                _ => { current = None; continue }
            },
            () = sleep(pause) => carrier.session().begin_upgrade(),
        };
        let dialled = {
            let dialling = dialler.dial(received);
            let mut dialling = pin!(dialling);
            loop {
                tokio::select! {
                    turn = carry(&mut carrier, &mut current) => match turn {
                        Turn::Over(_) => break Err(()),
                        _ => current = None,
                    },
                    dialled = &mut dialling => break Ok(dialled),
                }
            }
        };
        match dialled {
            Err(()) => break,
            Ok(None) => carrier.session().give_up_upgrade(),
            Ok(Some((_, Err(why)))) => {
                carrier.session().give_up_upgrade();
                // While the older one lives no refusal ends anything.
                if current.is_none() {
                    carrier.session().refused(why);
                    break;
                }
            }
            Ok(Some((stream, Ok(received)))) => {
                let link = carrier.session().resumed(received, Instant::now()).expect("it can be met");
                let new = websocket(link, stream, Role::Client);
                current = Some(match current.take() {
                    Some(old) => new.replacing(old),
                    None => new,
                });
            }
        }
    }
    drop(current);
    carrier.ended()
}

async fn carry(carrier: &mut Carrier<Rough>, websocket: &mut Option<WebSocket<Brittle>>) -> Turn {
    match websocket {
        Some(websocket) => carrier.over(websocket).await,
        None => Turn::Over(carrier.detached().await),
    }
}

#[tokio::test(start_paused = true)]
async fn both_ends_deliver_all_or_a_reset_whatever_is_cut() {
    for seed in 0..150 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let ((app, near_app), (near_backend, backend)) = (pipe(rng), pipe(rng));
        let (a, b) = brittle(rng);
        let (up, down) = (payload(rng), payload(rng));
        let mut cut = |bytes: &[u8]| rng.random_ratio(1, 4).then(|| rng.random_range(0..=bytes.len()));
        let (up_cut, down_cut) = (cut(&up), cut(&down));
        let (upgrades, asked) = mpsc::channel(1);
        let dialler = Dialler { upgrades, rng: StdRng::seed_from_u64(!seed), attempt: 0 };
        let (at_app, at_backend, client, server) = within(seed, async {
            tokio::join!(
                far_end(app, &up, up_cut, seed),
                far_end(backend, &down, down_cut, seed ^ 0xffff),
                client(near_app, a, dialler),
                server(near_backend, b, asked),
            )
        })
        .await;
        let case = format!("seed {seed}, cuts {up_cut:?} {down_cut:?}: {client:?}, {server:?}");
        for ((got, in_order), sent) in [(&at_app, &down), (&at_backend, &up)] {
            assert!(sent.starts_with(got), "{case}: other bytes than were sent");
            assert!(!in_order || got == sent, "{case}: {} of {} look complete", got.len(), sent.len());
        }
        if up_cut.is_none() && down_cut.is_none() {
            // A server whose last ACK was lost with the WebSocket of a client that needs it no more.
            let untold = server.why == Why::Ended(ResetCode::GRACE.name());
            assert!(at_app.1 && (at_backend.1 || untold), "{case}: reset without a reason");
            assert!(at_backend.0 == up, "{case}: not all was delivered");
            for ended in [&client, &server] {
                assert_eq!((ended.up, ended.down), (up.len() as u64, down.len() as u64), "{case}");
            }
            assert_eq!(client.why, Why::Eof, "{case}");
        }
    }
}
