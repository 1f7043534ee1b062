//! How far a run is: a bar on a terminal, or a line of JSON a second.

use std::io::IsTerminal;

use rustix::termios::{tcgetpgrp, tcgetwinsize};
use serde::Serialize;

use crate::args::Progress;
use crate::bandwidth::Size;
use crate::clock::{self, Nanos, SECOND};
use crate::member::{Member, Standing};
use crate::say;
use crate::tally::{self, Tally};

/// How often a bar is drawn.
const BAR: Nanos = SECOND / 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Silent,
    Bar,
    Json,
}

#[derive(Debug)]
pub(crate) struct Reporter {
    form: Form,
    size: Option<u64>,
    name: String,
    due: Nanos,
    /// When and at how many bytes the last report was.
    last: (Nanos, u64),
}

/// What is reported.
#[derive(Clone, Debug, Serialize)]
struct Report {
    name: String,
    bytes: u64,
    seconds: f64,
    /// Bytes a second since the last report.
    rate: u64,
    /// Bytes a second that the group may move.
    limit: u64,
    /// Of the limit, in percent.
    share: u64,
    /// Others in the group.
    peers: usize,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
}

impl Reporter {
    pub(crate) fn new(progress: Progress, size: Option<Size>, name: &str, now: Nanos) -> Self {
        let form = match progress {
            Progress::Never => Form::Silent,
            Progress::Json => Form::Json,
            Progress::Always => Form::Bar,
            // On the terminal that shows the data a bar would be in it.
            Progress::Auto if std::io::stderr().is_terminal() && !std::io::stdout().is_terminal() => {
                Form::Bar
            }
            Progress::Auto => Form::Silent,
        };
        let period = period(form);
        let due = now.saturating_add(period);
        Self { form, size: size.map(|size| size.0), name: name.to_owned(), due, last: (now, 0) }
    }

    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self::new(Progress::Never, None, "", 0)
    }

    /// When the next report is due.
    pub(crate) fn due(&self) -> Nanos {
        self.due
    }

    pub(crate) fn attend(&mut self, now: Nanos, tally: &Tally, member: &Member) {
        if now >= self.due {
            self.due = now + period(self.form);
            self.report(now, tally, member);
        }
    }

    /// The last report, of the whole run.
    pub(crate) fn end(&mut self, now: Nanos, tally: &Tally, member: &Member) {
        if self.form != Form::Silent {
            self.last = (tally.begun, 0);
            self.report(now, tally, member);
            say::end_bar();
        }
    }

    fn report(&mut self, now: Nanos, tally: &Tally, member: &Member) {
        let report = self.measure(now, tally, member.standing());
        self.last = (now, tally.bytes);
        match self.form {
            Form::Silent => {}
            Form::Json => say::record(&serde_json::to_string(&report).unwrap_or_default()),
            Form::Bar if in_background() => {}
            Form::Bar => say::bar(&report.bar(width())),
        }
    }

    fn measure(&self, now: Nanos, tally: &Tally, standing: Standing) -> Report {
        let rate = tally::rate(tally.bytes - self.last.1, now - self.last.0);
        let left = self.size.map(|size| size.saturating_sub(tally.bytes));
        let mean = tally.mean(now);
        Report {
            name: self.name.clone(),
            bytes: tally.bytes,
            seconds: clock::seconds(now - tally.begun),
            rate,
            limit: standing.rate,
            share: u64::try_from(u128::from(rate) * 100 / u128::from(standing.rate.max(1))).unwrap_or(0),
            peers: standing.members.saturating_sub(1),
            paused: standing.paused,
            size: self.size,
            eta_seconds: left.filter(|_| mean > 0).map(|left| left.div_ceil(mean)),
        }
    }
}

fn period(form: Form) -> Nanos {
    match form {
        Form::Silent => Nanos::MAX,
        Form::Bar => BAR,
        Form::Json => SECOND,
    }
}

fn width() -> usize {
    let columns = tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know says 0.
    if columns == 0 { 80 } else { columns.clamp(20, 200) }
}

/// Whether another job has the terminal (`&`, Ctrl-Z and bg).
fn in_background() -> bool {
    tcgetpgrp(std::io::stderr()).is_ok_and(|group| group != rustix::process::getpgrp())
}

impl Report {
    /// `db: 1.21 GB  98.7 MB/s  49% of 100M  2 here  [=====>      ]  42%  ETA 0:01:12`
    fn bar(&self, width: usize) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) };
        let peers = match self.peers {
            0 => "alone".to_owned(),
            peers => format!("{} here", peers + 1),
        };
        let paused = if self.paused { "  paused" } else { "" };
        let (bytes, rate) = (tally::amount(self.bytes), tally::per_second(self.rate));
        let limit = tally::limit(self.limit);
        let head = format!("{name}{bytes}  {rate}  {}% of {limit}  {peers}{paused}", self.share);
        let tail = self.size.map(|size| self.tail(size)).unwrap_or_default();
        let room = width.saturating_sub(1 + head.chars().count() + tail.chars().count());
        let text = match self.size {
            Some(size) if room >= 8 => format!("{head}{}{tail}", gauge(self.bytes, size, room)),
            _ => head + &tail,
        };
        // A line that wraps would be drawn below itself.
        text.chars().take(width - 1).collect()
    }

    fn tail(&self, size: u64) -> String {
        let percent = u128::from(self.bytes) * 100 / u128::from(size.max(1));
        let eta = self.eta_seconds.map_or_else(|| "-".to_owned(), clock_time);
        format!("  {percent}%  ETA {eta}")
    }
}

/// `  [====>    ]` in `room` characters.
fn gauge(bytes: u64, size: u64, room: usize) -> String {
    let inside = room - 4;
    let filled = u128::from(bytes) * inside as u128 / u128::from(size.max(1));
    let filled = usize::try_from(filled).unwrap_or(inside).min(inside);
    let arrow = if filled < inside { ">" } else { "" };
    format!("  [{}{arrow}{}]", "=".repeat(filled), " ".repeat(inside - filled - arrow.len()))
}

/// `1:02:03`
fn clock_time(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(bytes: u64, size: Option<u64>) -> Report {
        let mut reporter = Reporter::silent();
        reporter.size = size;
        reporter.name = "db".to_owned();
        let tally = Tally { bytes, ..Tally::new(0) };
        let standing = Standing { rate: 100_000_000, members: 2, paused: false };
        reporter.measure(10 * SECOND, &tally, standing)
    }

    #[test]
    fn a_bar_fits_its_line() {
        let bar = report(500_000_000, Some(1_000_000_000)).bar(80);
        assert_eq!(bar, "db: 500 MB  50.0 MB/s  50% of 100M  2 here  [=======>       ]  50%  ETA 0:00:10");
        for width in 20..200 {
            for bytes in [0, 1, 999_999_999, 1_000_000_000, 2_000_000_000] {
                assert!(report(bytes, Some(1_000_000_000)).bar(width).chars().count() < width);
                assert!(report(bytes, None).bar(width).chars().count() < width);
            }
        }
    }

    #[test]
    fn a_line_is_json() {
        let line = serde_json::to_value(report(500_000_000, Some(1_000_000_000))).unwrap();
        let expected = serde_json::json!({
            "name": "db", "bytes": 500_000_000, "seconds": 10.0, "rate": 50_000_000, "limit": 100_000_000,
            "share": 50, "peers": 1, "paused": false, "size": 1_000_000_000, "eta_seconds": 10,
        });
        assert_eq!(line, expected);
        assert_eq!(report(0, Some(5)).eta_seconds, None);
        assert_eq!(clock_time(3723), "1:02:03");
    }
}
