//! A session of dialect 2, over one WebSocket after another.
//!
//! ```text
//!             ┌──────── cut ────────► detached ─ 101 ─┐
//!   attached ─┤                          │            ├─► attached
//!             └─ old, or told to go ─► Redial ─ 101 ──┘   (the old WebSocket is read until the first frame)
//!                                        │ refused for good, or the grace is over
//!                                        ▼
//!                                      over ─► Closed
//! ```
//!
//! One task does all of it. `redial` gets the next WebSocket, `verdict` judges the attempts that fail, `ages`
//! knows when to be ahead of a balancer that cuts, `turns` decides what comes next.

mod ages;
mod life;
mod panics;
mod redial;
mod turns;
mod verdict;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use relay::{Ended, Leg};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tunnel::dialect2::{Budget, Carrier, Link, NoResume, ResetCode, Session, Terms, Turn, WebSocket};
use tunnel::header::Header;
use tunnel::{Role, Settings, Wire};

use crate::attempt::Way;
use crate::cookies::Cookies;
use crate::offer::Offer;
use crate::stream::Stream;
use crate::upgrade::Granted;
use crate::wakes::Wakes;
use ages::Ages;
pub(crate) use life::{Life, Lives};
pub(crate) use redial::Kept;
use redial::{Redial, Step};
use turns::{Gone, Pinged};

/// How long the gateway may take to hear that a session is over.
const LAST_WORDS: Duration = Duration::from_millis(700);

/// What both ends have agreed on.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) terms: Terms,
    /// None if the session ends with its WebSocket.
    pub(crate) kept: Option<Kept>,
    lifetime: Option<Duration>,
}

impl Agreed {
    /// What a gateway's answer to `offer` comes to. A session without an id, or a grace of nothing, ends with
    /// its WebSocket.
    pub(crate) fn on(offer: &Offer, header: &Header, cookies: &[http::HeaderValue]) -> Self {
        let grace = header.grace.unwrap_or_default().min(offer.grace);
        let resume = offer.resume && header.resume != Some(false) && !grace.is_zero();
        let kept = header.session.filter(|_| resume).map(|id| {
            let mut kept = Kept { id, instance: header.instance, grace, cookies: Cookies::default() };
            kept.cookies.take(cookies);
            kept
        });
        let window = header.window.unwrap_or(offer.window).min(offer.window);
        let terms = Terms { role: Role::Client, window, resume: kept.is_some() };
        Self { terms, kept, lifetime: header.lifetime }
    }
}

/// How it went.
pub(crate) struct Closed {
    pub(crate) ended: Ended,
    pub(crate) resumes: u32,
}

/// A session with what it runs on.
pub(crate) struct Resuming<'w, L: Leg> {
    carrier: Carrier<L>,
    websocket: Option<WebSocket<Stream>>,
    /// When the present WebSocket was had.
    since: Instant,
    /// How far the session was then.
    progress: u64,
    /// It was had because another one had taken the session over.
    is_retaken: bool,
    /// None if the session ends with its WebSocket.
    redial: Option<Redial<'w>>,
    ages: Ages,
    /// When the present WebSocket is to be replaced.
    replace_at: Option<Instant>,
    /// After a sleep: until when the gateway is to answer.
    pinged: Option<Pinged>,
    /// While there is no WebSocket.
    gone: Option<Gone>,
    /// All is to end: when the gateway is told no more, at the latest.
    at_last: Option<Instant>,
    /// The session is over, and the gateway is still to be told.
    is_telling: bool,
    stop: CancellationToken,
    wakes: Wakes,
    life: Life,
}

/// What the loop waits for.
enum Event<'w> {
    Turn(Turn),
    /// It ended without a WebSocket.
    Over,
    Step(Step<'w>),
    Woken,
    Due,
    Stopped,
}

/// What a session is begun with.
pub(crate) struct Begin<'w> {
    pub(crate) way: Way<'w>,
    pub(crate) wire: Wire<Stream>,
    pub(crate) agreed: Agreed,
    pub(crate) budget: &'w Arc<Budget>,
    pub(crate) settings: Settings,
    pub(crate) wakes: Wakes,
    pub(crate) life: Life,
}

impl<'w, L: Leg> Resuming<'w, L> {
    /// In a box, that an idle tunnel holds it but once.
    pub(crate) fn new(local: L, begin: Begin<'w>) -> Box<Self> {
        let Begin { way, wire, agreed, budget, settings, wakes, life } = begin;
        let (session, link) = Session::new(agreed.terms, budget, Instant::now());
        let stop = settings.stop.clone();
        let mut resuming = Box::new(Self {
            carrier: Carrier::new(local, session, settings),
            websocket: None,
            since: Instant::now(),
            progress: 0,
            is_retaken: false,
            redial: agreed.kept.map(|kept| Redial::new(way, kept)),
            ages: Ages::new(agreed.lifetime),
            replace_at: None,
            pinged: None,
            gone: None,
            at_last: None,
            is_telling: false,
            stop,
            wakes,
            life,
        });
        resuming.attach(WebSocket::new(link, wire));
        resuming
    }

    /// Carries until the session is over. If something in here panics, the gateway is told: what the application
    /// has locked behind it is not to stay locked for the grace.
    pub(crate) async fn carry(mut self: Box<Self>) -> Closed {
        let run = panics::caught(pin!(self.run())).await;
        if let Err(panic) = run {
            let _ = panics::caught(pin!(self.farewell())).await; // it has been told as far as it goes
            std::panic::resume_unwind(panic);
        }
        drop(self.websocket.take());
        Closed { ended: self.carrier.ended(), resumes: self.life.resumes() }
    }

    async fn run(&mut self) {
        loop {
            let event = self.event().await;
            if self.take(event).is_break() {
                return;
            }
        }
    }

    /// The next thing to decide about. May be dropped.
    async fn event(&mut self) -> Event<'w> {
        let due = self.due();
        let may_hurry = self.gone.is_some() && self.at_last.is_none();
        let Self { carrier, websocket, redial, wakes, is_telling, stop, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled(), if may_hurry => Event::Stopped,
            step = step(redial.as_mut()) => Event::Step(step),
            () = wakes.next() => Event::Woken,
            () = until(due) => Event::Due,
            // Last: who always has something to carry would leave nothing of the turn to the others.
            event = carried(carrier, websocket.as_mut(), *is_telling) => event,
        }
    }

    /// Says that all is over, where that can still be said.
    async fn farewell(&mut self) {
        self.carrier.session().reset(ResetCode::STOPPING, "internal error");
        if let Some(websocket) = &mut self.websocket {
            let saying = async { while let Turn::ToldToGo(_) = self.carrier.over(websocket).await {} };
            let _ = timeout(LAST_WORDS, saying).await;
        }
    }

    /// The session goes on over `websocket`.
    fn attach(&mut self, websocket: WebSocket<Stream>) {
        self.websocket = Some(websocket);
        self.since = Instant::now();
        self.progress = self.carrier.session().progress();
        self.pinged = None;
        let after = self.ages.replace_after(rand::random()).filter(|_| self.redial.is_some());
        self.replace_at = after.and_then(|after| self.since.checked_add(after));
    }

    /// The link that goes on after a 101; none if that is no answer to a resume.
    ///
    /// # Errors
    /// If the answer cannot be met.
    fn resume(&mut self, granted: &Granted) -> Result<Option<Link>, NoResume> {
        let Some(header) = &granted.tunnel else { return Ok(None) };
        let Some(received) = header.received else { return Ok(None) };
        if let Some(lifetime) = header.lifetime {
            self.ages.told(lifetime);
        }
        self.carrier.session().resumed(received, Instant::now()).map(Some)
    }
}

async fn carried<'w, L: Leg>(
    carrier: &mut Carrier<L>,
    websocket: Option<&mut WebSocket<Stream>>,
    is_telling: bool,
) -> Event<'w> {
    match websocket {
        Some(websocket) => Event::Turn(carrier.over(websocket).await),
        None if is_telling => std::future::pending().await,
        None => {
            carrier.detached().await;
            Event::Over
        }
    }
}

async fn step<'w>(redial: Option<&mut Redial<'w>>) -> Step<'w> {
    match redial {
        Some(redial) => redial.step().await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
