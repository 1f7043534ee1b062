//! The log of decisions: a line each.
//!
//! ```text
//! {"time":"…","level":"info","message":"decision","status":403,"reason":"path","service":"report_batch",
//!  "kid":"2026-a","client":"203.0.113.9","method":"GET","path":"/secret/f","token":"1f0a9c3e5b7d2468","ptime":0.00004}
//! ```
//!
//! There is never a query and never a token in it. `service` is there only if the token has proven it; a
//! `kid` may be what an unproven token says. Whatever a caller has sent is bounded, and escaped by the log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daemon::accept::Peer;
use http::HeaderName;

use crate::proxies::Proxies;
use crate::{Decision, Lines, Question, answer};

/// The longest method that is logged whole; the longest registered one has 17 bytes.
const METHOD: usize = 32;

/// Writes a line for each refusal, and for some of what is allowed.
#[derive(Debug)]
pub(crate) struct DecisionLog {
    /// Each of how many that are allowed; 0 is none
    every: u64,
    allowed: AtomicU64,
    proxies: Proxies,
}

/// What was asked, and by whom.
pub(crate) struct Asked<'a> {
    pub(crate) question: Question<'a>,
    /// `X-Real-IP`
    pub(crate) real_ip: Lines<'a>,
    pub(crate) peer: Peer,
    /// From the end of the request's head to the decision
    pub(crate) took: Duration,
}

impl DecisionLog {
    pub(crate) fn new(every: u64, proxies: Proxies) -> Self {
        Self { every, allowed: AtomicU64::new(0), proxies }
    }

    pub(crate) fn write(&self, decision: &Decision<'_>, asked: &Asked<'_>) {
        if !tracing::enabled!(tracing::Level::INFO) || decision.outcome.is_ok() && !self.samples() {
            return;
        }
        let identity = decision.identity.as_ref();
        let proven = identity.and_then(|identity| identity.verified.kid.as_deref());
        let method = match asked.question.method {
            Lines::One(method) => Some(&method[..method.len().min(METHOD)]),
            Lines::None | Lines::Several => None,
        };
        tracing::info!(
            status = answer::status(&decision.outcome).as_u16(),
            reason = decision.outcome.as_ref().err().map(|reason| reason.code()),
            service = identity.map(|identity| identity.service.id.as_str()),
            kid = proven.or(decision.kid.as_deref()),
            client = %self.proxies.client(asked.peer, asked.real_ip),
            method = method.map(|method| tracing::field::display(Visible(method))),
            path = decision.path.as_deref().map(|path| tracing::field::display(Visible(path))),
            left_out = identity.map(|identity| &identity.left_out[..]).filter(|names| !names.is_empty()).map(Names).map(tracing::field::display),
            token = decision.token_hash.map(|hash| tracing::field::display(Hex(hash))),
            ptime = asked.took.as_secs_f64(),
            "decision"
        );
    }

    /// Whether it is the turn of an allowed request: the first of each `every`.
    fn samples(&self) -> bool {
        match self.every {
            0 | 1 => self.every == 1,
            every => self.allowed.fetch_add(1, Ordering::Relaxed).is_multiple_of(every),
        }
    }
}

/// Bytes as visible ASCII; others, and `%` itself, as `%XX`, so that it can be read back.
struct Visible<'a>(&'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.0.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
            match std::str::from_utf8(run) {
                Ok(text) if is_plain(run[0]) => f.write_str(text)?,
                _ => run.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?,
            }
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'%'
}

/// The headers that a claim could not be put into.
struct Names<'a>(&'a [HeaderName]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(index, name)| write!(f, "{}{name}", if index == 0 { "" } else { "," }))
    }
}

struct Hex([u8; 8]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests;
