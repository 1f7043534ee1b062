//! What comes of each event of a session.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use relay::Leg;
use tokio::time::Instant;
use tunnel::close;
use tunnel::dialect2::{Cut, NoResume, Over, ResetCode, Turn, WebSocket};

use super::life::Detached;
use super::redial::Step;
use super::verdict::{self, Verdict};
use super::{Event, LAST_WORDS, Resuming};
use crate::attempt::AttemptError;
use crate::upgrade::Granted;

/// Whoever took over from a WebSocket that lived for so long is not who took over from the one before.
const SETTLED: Duration = Duration::from_secs(10);
/// A WebSocket that lived for so long, or moved a byte, was of use: there is no reason to wait for the next one.
const OF_USE: Duration = Duration::from_millis(250);
/// After a sleep the gateway has so long to answer a ping.
const ANSWER: Duration = Duration::from_secs(5);
/// After a sleep there is time for an attempt, however little is left of the grace.
const AFTER_SLEEP: Duration = Duration::from_secs(20);
/// A gateway that sends all its clients away does not have them all back at once.
const SPREAD: Duration = Duration::from_secs(1);

/// Without a WebSocket.
pub(super) struct Gone {
    since: Instant,
    /// Whatever the grace says, it is not given up before.
    not_before: Option<Instant>,
    /// The old WebSocket of a hand-over, which is told of the new one before we are.
    is_hand_over: bool,
    _counted: Detached,
}

/// A ping after a sleep.
#[derive(Clone, Copy)]
pub(super) struct Pinged {
    at: Instant,
    until: Instant,
}

impl<'w, L: Leg> Resuming<'w, L> {
    /// Breaks when nothing is left to do.
    pub(super) fn take(&mut self, event: Event<'w>) -> ControlFlow<()> {
        match event {
            Event::Turn(Turn::Over(_)) => return ControlFlow::Break(()),
            Event::Turn(Turn::Cut(cut)) => return self.cut(cut),
            Event::Turn(Turn::ToldToGo(within)) => self.told_to_go(within),
            Event::Over => return self.over(),
            Event::Step(Step::Due) => self.redial(super::Redial::dial),
            Event::Step(Step::Reached(reached)) => {
                let received = self.carrier.session().begin_upgrade();
                self.redial(|redial| redial.ask(*reached, received));
            }
            Event::Step(Step::Granted(granted)) => return self.granted(*granted),
            Event::Step(Step::Failed(error)) => return self.failed(&error),
            Event::Woken => self.woken(),
            Event::Due => return self.time_has_come(),
            Event::Stopped => self.stopped(),
        }
        ControlFlow::Continue(())
    }

    fn redial(&mut self, act: impl FnOnce(&mut super::Redial<'w>)) {
        if let Some(redial) = &mut self.redial {
            act(redial);
        }
    }

    /// The WebSocket is gone.
    fn cut(&mut self, cut: Cut) -> ControlFlow<()> {
        let age = self.since.elapsed();
        self.websocket = None;
        (self.replace_at, self.pinged) = (None, None);
        let is_hand_over = cut == Cut::Closed(close::TAKEN_OVER)
            && self.redial.as_ref().is_some_and(super::Redial::is_under_way);
        self.gone = Some(Gone {
            since: Instant::now(),
            not_before: None,
            is_hand_over,
            _counted: self.life.detach(),
        });
        match cut {
            Cut::Eof | Cut::Failed => self.ages.died(age),
            Cut::Closed(_) | Cut::Silent | Cut::Here => self.ages.ended(),
        }
        if is_hand_over {
            return ControlFlow::Continue(()); // what is under way has done it
        }
        tracing::info!(why = why(cut), age_s = age.as_secs(), "tunnel cut, resuming it");
        if age >= SETTLED {
            self.is_retaken = false;
        }
        if cut == Cut::Closed(close::TAKEN_OVER) {
            return self.taken_over();
        }
        let moved = self.carrier.session().progress() > self.progress;
        self.redial(|redial| {
            if cut == Cut::Closed(close::RENEW) {
                redial.renew();
            }
            redial.lost(moved || age >= OF_USE);
        });
        ControlFlow::Continue(())
    }

    /// By an upgrade of ours whose answer was lost; or by somebody who has the session's secret: who of us goes
    /// on is then settled by the gateway, once.
    fn taken_over(&mut self) -> ControlFlow<()> {
        if std::mem::replace(&mut self.is_retaken, true) {
            return self.refused(NoResume::Stale);
        }
        self.redial(super::Redial::at_once);
        ControlFlow::Continue(())
    }

    /// It is over, without a WebSocket. What we ended is still told to the gateway, if it comes back in time: of a
    /// signal, too, that came before we knew that the WebSocket was lost.
    fn over(&mut self) -> ControlFlow<()> {
        match self.carrier.session().over() {
            Some(Over::Reset(ResetCode::LOCAL | ResetCode::STOPPING, _)) => self.is_telling = true,
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// All is to end, and the gateway is still to be told of this session.
    fn stopped(&mut self) {
        self.carrier.session().reset(ResetCode::STOPPING, "");
        if self.at_last.is_none() {
            self.at_last = Some(Instant::now() + LAST_WORDS);
            self.redial(super::Redial::at_once);
        }
    }

    fn told_to_go(&mut self, within: Duration) {
        let wait = (within / 4).min(SPREAD).mul_f64(rand::random());
        tracing::debug!(within_s = within.as_secs(), "the gateway wants another WebSocket");
        if self.redial.is_some() {
            let at = Instant::now() + wait;
            self.replace_at = Some(self.replace_at.map_or(at, |before| before.min(at)));
        }
    }

    fn granted(&mut self, granted: Granted) -> ControlFlow<()> {
        let link = match self.resume(&granted) {
            Ok(Some(link)) => link,
            Ok(None) => return self.failed(&AttemptError::NotResumed),
            Err(why) => return self.refused(why),
        };
        let Granted { wire, cookies, .. } = granted;
        let new = WebSocket::new(link, wire);
        let (old, gone) = (self.websocket.take(), self.gone.take());
        let gone = gone.filter(|gone| !gone.is_hand_over);
        self.life.count_resume(gone.is_none());
        let (attempt, tries) = self.redial.as_ref().map_or((0, 0), |redial| (redial.attempt, redial.tries()));
        match gone {
            Some(gone) => {
                let after_ms = gone.since.elapsed().as_millis() as u64;
                tracing::info!(after_ms, attempt, tries, "tunnel resumed");
            }
            None => {
                let age_s = self.since.elapsed().as_secs();
                tracing::info!(age_s, attempt, "tunnel handed over to the next WebSocket");
            }
        }
        self.redial(|redial| {
            redial.kept.cookies.take(&cookies);
            redial.succeeded();
        });
        self.attach(match old {
            Some(old) => new.replacing(old),
            None => new,
        });
        ControlFlow::Continue(())
    }

    fn failed(&mut self, error: &AttemptError) -> ControlFlow<()> {
        let session = self.carrier.session();
        session.give_up_upgrade();
        let Some(redial) = &mut self.redial else { return ControlFlow::Continue(()) };
        let shown = error as &dyn Error;
        if self.websocket.is_some() {
            let pause_s = redial.hand_over_later().as_secs();
            tracing::info!(error = shown, pause_s, "no other WebSocket yet, trying again");
            return ControlFlow::Continue(());
        }
        match verdict::of(error, redial.kept.instance, redial.has_renewed()) {
            Verdict::Again(after) => {
                let (tries, pause_ms) = (redial.tries(), redial.again(after).as_millis() as u64);
                match tries {
                    1 => tracing::info!(error = shown, pause_ms, "tunnel not resumed yet, trying again"),
                    _ => tracing::debug!(
                        error = shown,
                        tries,
                        pause_ms,
                        "tunnel not resumed yet, trying again"
                    ),
                }
            }
            Verdict::Renew => {
                tracing::info!(error = shown, "the credential is renewed, then the tunnel resumed");
                redial.renew();
                redial.dial();
            }
            Verdict::Final(why) => {
                match why {
                    NoResume::Finished => tracing::debug!("the gateway says that the tunnel is finished"),
                    _ => tracing::warn!(error = shown, tries = redial.tries(), "tunnel not resumed"),
                }
                return self.refused(why);
            }
        }
        ControlFlow::Continue(())
    }

    /// The session cannot go on. Of one that is over already nothing is left to tell, and nobody to tell it to.
    fn refused(&mut self, why: NoResume) -> ControlFlow<()> {
        let was_over = self.websocket.is_none() && self.carrier.session().over().is_some();
        self.carrier.session().refused(why);
        match was_over {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()), // who carries notices
        }
    }

    fn woken(&mut self) {
        let now = Instant::now();
        if let Some(websocket) = &mut self.websocket {
            websocket.link().ping_now(now);
            self.pinged = Some(Pinged { at: now, until: now + ANSWER });
        } else {
            self.carrier.session().give_up_upgrade();
            self.redial(super::Redial::afresh);
        }
        if let Some(gone) = &mut self.gone {
            gone.not_before = Some(now + AFTER_SLEEP);
        }
    }

    /// When time alone moves it on.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let replace = self.replace_at.filter(|_| self.redial.as_ref().is_some_and(super::Redial::is_idle));
        let answer = self.pinged.map(|pinged| pinged.until);
        [replace, answer, self.gives_up()].into_iter().flatten().min()
    }

    /// When a session without a WebSocket is given up.
    fn gives_up(&mut self) -> Option<Instant> {
        let gone = self.gone.as_ref()?;
        let grace = self.redial.as_ref()?.kept.grace;
        let end = self.carrier.session().expires(grace);
        let end = end.map(|end| gone.not_before.map_or(end, |least| end.max(least)));
        [end, self.at_last].into_iter().flatten().min()
    }

    fn time_has_come(&mut self) -> ControlFlow<()> {
        let now = Instant::now();
        if self.gives_up().is_some_and(|at| now >= at) {
            if self.carrier.session().over().is_some() {
                return ControlFlow::Break(()); // the gateway could not be told, and has its own grace
            }
            tracing::warn!(
                tries = self.redial.as_ref().map(super::Redial::tries),
                "tunnel not resumed in time"
            );
            self.carrier.session().reset(ResetCode::GRACE, "");
        }
        if let Some(pinged) = self.pinged.take_if(|pinged| now >= pinged.until)
            && let Some(websocket) = &mut self.websocket
            && websocket.link().heard() < pinged.at
        {
            tracing::debug!("no answer after a sleep");
            websocket.link().failed();
        }
        if self.replace_at.take_if(|at| now >= *at).is_some() {
            self.redial(super::Redial::at_once);
        }
        ControlFlow::Continue(())
    }
}

/// How a WebSocket was lost, for the log.
fn why(cut: Cut) -> String {
    match cut {
        Cut::Closed(close::NONE) => "closed without a code".into(),
        Cut::Closed(code) => format!("closed with code {code}"),
        Cut::Eof => "ended without Close".into(),
        Cut::Failed => "connection failed".into(),
        Cut::Silent => "no answer to a ping".into(),
        Cut::Here => "closed by us".into(),
    }
}
