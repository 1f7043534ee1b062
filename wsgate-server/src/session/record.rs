//! What the log and the audit log say of a session.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use relay::Ended;
use serde_json::{Value, json};
use tunnel::dialect2::Cut;

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

    /// The WebSocket is gone, and the session waits for its client.
    pub(super) fn detached(&self, cut: Cut, up: u64, down: u64) {
        tracing::info!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            peer = %self.ends.peer,
            read = up,
            write = down,
            why = %cut_text(cut),
            "tunnel detached"
        );
        self.write("detach", None, None);
    }

    /// As [`detached`](Self::detached), and there is no room to keep it.
    pub(super) fn detach_refused(&self, cut: Cut) {
        tracing::warn!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            peer = %self.ends.peer,
            why = %cut_text(cut),
            "tunnel ended with its WebSocket (see --max-detached and --max-detached-bytes)"
        );
        self.write("detach-refused", None, None);
    }

    /// Nobody came back in time.
    pub(super) fn expired(&self) {
        self.metrics.expired.inc();
        self.write("expire", None, None);
    }

    /// This caller has come back to `session`, which has been resumed so often now.
    pub(super) fn resumed(&self, session: &Self, resumes: u32) {
        tracing::info!(
            seq = self.seq,
            session = self.session,
            opened_as = session.seq,
            destination = self.destination,
            user = self.user(),
            key = self.caller.as_ref().map_or("", |caller| &caller.key),
            upstream = session.upstream,
            peer = %self.ends.peer,
            "x-forwarded-for" = self.forwarded_for,
            resumes,
            ptime = self.begun.elapsed().as_secs_f64(),
            "tunnel resumed"
        );
        self.metrics.resumed.inc();
        // What the name leads to now does not matter: the connection is the session's.
        self.write_to(&session.upstream, "resume", None, None);
    }

    pub(super) fn closed(&self, ended: &Ended, resumes: u32) {
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
            resumes,
            by = ended.by.name(),
            why = %ended.why,
            status = if ended.why.is_orderly() { "Succeeded" } else { "Failed" },
            "tunnel closed"
        );
        self.metrics.closed.with(ended.why.word()).inc();
        self.write("close", None, Some(Closed::new(ended, resumes)));
    }

    pub(super) fn user(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| &caller.user)
    }

    pub(super) fn write_refused(&self, refusal: &Refusal, reason: &str) {
        let status = refusal.status().as_u16();
        let refused = Refused { status, refusal: refusal.word(), reason: Bounded(reason) };
        self.write("refused", Some(refused), None);
    }

    fn write(&self, event: &'static str, refused: Option<Refused<'_>>, closed: Option<Closed>) {
        self.write_to(&self.upstream, event, refused, closed);
    }

    fn write_to(
        &self,
        upstream: &str,
        event: &'static str,
        refused: Option<Refused<'_>>,
        closed: Option<Closed>,
    ) {
        let caller = self.caller.as_ref();
        let peer = self.ends.peer.to_string();
        let known = Known {
            session: &self.session,
            seq: self.seq,
            user: self.user(),
            method: caller.map_or("", |caller| caller.method),
            key: caller.map_or("", |caller| &caller.key),
            destination: &self.destination,
            upstream,
            peer: &peer,
            forwarded_for: &self.forwarded_for,
            dialect: self.dialect,
        };
        let mut line = Line::new(event, &known);
        line.refused = refused;
        line.closed = closed;
        self.audit.write(&line);
    }
}

/// How a WebSocket was lost.
fn cut_text(cut: Cut) -> Cow<'static, str> {
    Cow::Borrowed(match cut {
        Cut::Closed(code) => return format!("close code {code}").into(),
        Cut::Eof => "end of file",
        Cut::Failed => "failed",
        Cut::Silent => "silent",
        Cut::Here => "closed by us",
    })
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
            "dialect": about.dialect,
            "resumes": self.resumes.load(Relaxed),
            "detached": self.detached.load(Relaxed),
        })
    }
}
