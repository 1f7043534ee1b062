//! The table that people see.

use super::{GroupStatus, MemberStatus, Status};
use crate::tally::{amount, limit, per_second};
use crate::{clock, say};

/// Two lines a group and one a member, each cut to `width` characters.
pub(crate) fn table(status: &Status, width: usize) -> String {
    let mut lines = Vec::new();
    for group in &status.groups {
        lines.extend([headline(group), totals(group)]);
        if !group.members.is_empty() {
            lines.push(row(
                ["PID", "NAME", "RATE", "BYTES", "TIME", "WEIGHT", "SOURCE", "SINK"].map(str::to_owned)
            ));
        }
        lines.extend(group.members.iter().map(member));
        lines.push(String::new());
    }
    lines.extend(status.errors.iter().map(|error| format!("cannot read {error}")));
    if lines.is_empty() {
        lines.push(format!("no group in {}", status.work_dir));
    }
    let cut = |line: &String| say::escaped(line).trim_end().chars().take(width).collect::<String>() + "\n";
    lines.iter().map(cut).collect()
}

fn headline(group: &GroupStatus) -> String {
    let state = match (group.members.len(), group.paused) {
        (0, _) => "nobody here".to_owned(),
        (_, true) => "paused (sabo ctl)".to_owned(),
        _ => format!("runs at {}", limit(group.effective_rate)),
    };
    let originals = match group.originals {
        0 => String::new(),
        originals => format!(", {originals} originals"),
    };
    let ctl = match group.ctl_limit {
        Some(rate) => format!(", {} by sabo ctl", limit(rate)),
        None => String::new(),
    };
    format!(
        "group {}: {state}{ctl}, {} now, {} here{originals}",
        group.group,
        per_second(group.rate),
        group.members.len()
    )
}

fn totals(group: &GroupStatus) -> String {
    let success = match group.last_success {
        Some(moment) => format!(", the last {} ago", span(clock::epoch().saturating_sub(moment) as f64)),
        None => String::new(),
    };
    format!(
        "  {} moved, {} runs finished{success}, {} failed",
        amount(group.bytes),
        group.runs_finished,
        group.runs_failed
    )
}

fn member(member: &MemberStatus) -> String {
    let waiting = |waited: f64| format!("{:.0}%", 100.0 * waited / member.seconds.max(0.001));
    row([
        member.pid.to_string(),
        member.name.clone(),
        per_second(member.rate),
        amount(member.bytes),
        span(member.seconds),
        member.weight.to_string(),
        waiting(member.waited_source),
        waiting(member.waited_sink),
    ])
}

fn row([pid, name, rate, bytes, time, weight, source, sink]: [String; 8]) -> String {
    format!("  {pid:>8}  {name:<16}  {rate:>10}  {bytes:>8}  {time:>9}  {weight:>6}  {source:>6}  {sink:>5}")
}

/// `1:02:03`
fn span(seconds: f64) -> String {
    // Not negative; a float that is too large becomes the largest number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let seconds = seconds as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
