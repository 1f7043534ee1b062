//! What the log and the audit log say of a session.

use relay::Ended;
use serde_json::{Value, json};

use super::{About, Open};
use crate::audit::{Bounded, Closed, Known, Line, Refused};
use crate::refusal::Refusal;

impl About {
    pub(super) fn left(&self) {
        tracing::info!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            upstream = self.upstream,
            peer = %self.ends.peer,
            "x-forwarded-for" = self.forwarded_for,
            ptime = self.begun.elapsed().as_secs_f64(),
            "the caller left before its tunnel was open"
        );
        self.metrics.left.inc();
        self.write("left", None, None);
    }

    pub(super) fn opened(&self) {
        let caller = self.caller.as_ref();
        tracing::info!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            method = caller.map_or("", |caller| caller.method),
            key = caller.map_or("", |caller| &caller.key),
            upstream = self.upstream,
            peer = %self.ends.peer,
            "x-forwarded-for" = self.forwarded_for,
            ptime = self.begun.elapsed().as_secs_f64(),
            "tunnel opened"
        );
        self.metrics.opened.inc();
        self.metrics.setup.observe(self.begun.elapsed());
        self.write("open", None, None);
    }

    pub(super) fn closed(&self, ended: &Ended) {
        tracing::info!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            upstream = self.upstream,
            peer = %self.ends.peer,
            "x-forwarded-for" = self.forwarded_for,
            read = ended.up,
            write = ended.down,
            ptime = ended.lasted.as_secs_f64(),
            by = ended.by.name(),
            why = %ended.why,
            status = if ended.why.is_orderly() { "Succeeded" } else { "Failed" },
            "tunnel closed"
        );
        self.metrics.closed.with(ended.why.word()).inc();
        self.write("close", None, Some(ended));
    }

    pub(super) fn user(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| &caller.user)
    }

    pub(super) fn write_refused(&self, refusal: &Refusal, reason: &str) {
        let status = refusal.status().as_u16();
        let refused = Refused { status, refusal: refusal.word(), reason: Bounded(reason) };
        self.write("refused", Some(refused), None);
    }

    fn write(&self, event: &'static str, refused: Option<Refused<'_>>, ended: Option<&Ended>) {
        let caller = self.caller.as_ref();
        let peer = self.ends.peer.to_string();
        let known = Known {
            session: &self.session,
            seq: self.seq,
            user: self.user(),
            method: caller.map_or("", |caller| caller.method),
            key: caller.map_or("", |caller| &caller.key),
            destination: &self.destination,
            upstream: &self.upstream,
            peer: &peer,
            forwarded_for: &self.forwarded_for,
        };
        let mut line = Line::new(event, &known);
        line.refused = refused;
        line.closed = ended.map(Closed::from);
        self.audit.write(&line);
    }
}

impl Open {
    /// What an operator needs to know of a tunnel, and no secret.
    pub(crate) fn json(&self) -> Value {
        let about = &self.about;
        json!({
            "session": about.session,
            "seq": about.seq,
            "user": about.user(),
            "peer": about.ends.peer.to_string(),
            "destination": about.destination,
            "upstream": about.upstream,
            "seconds": self.since.elapsed().as_secs(),
            "up_bytes": self.meter.up(),
            "down_bytes": self.meter.down(),
        })
    }
}
