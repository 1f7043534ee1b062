//! `sabo health`: the check of mackerel-agent, and of anything that takes Nagios's exit statuses.
//!
//! A directory is well if something in it ended well lately and nothing failed lately: of several dumps a night, the
//! one that failed is not made good by the others.

use std::time::{Duration, UNIX_EPOCH};

use daemon::GoDuration;
use monitor::Said;
use monitor::health::{Level, verdict};

use crate::args::Health;
use crate::clock;
use crate::metrics::PROGRAM;
use crate::status::Status;
use crate::summary::look;

/// Looks and judges.
pub fn health(args: &Health) -> Said {
    let (level, text) = match look(&args.work_dir) {
        Ok(status) => judge(&status, args.max_age, clock::epoch()),
        Err(error) => (Level::Unknown, format!("{error:#}")),
    };
    verdict(PROGRAM, level, &text)
}

/// At `now`, seconds since 1970. Texts name moments and not ages, so that they stay as they are until something
/// happens.
fn judge(status: &Status, max_age: GoDuration, now: u64) -> (Level, String) {
    let (dir, groups) = (&status.work_dir, &status.groups);
    if !status.errors.is_empty() {
        return (Level::Unknown, status.errors.join("; "));
    }
    if groups.is_empty() {
        return (Level::Unknown, format!("{dir}: no sabo ran with this --work-dir yet"));
    }
    let is_recent = |moment: &u64| now.saturating_sub(*moment) <= max_age.0.as_secs();
    let Some(success) = groups.iter().filter_map(|group| group.last_success).max() else {
        return never(status, max_age);
    };
    if !is_recent(&success) {
        let text =
            format!("{dir}: no run ended well since {}, the most is {max_age} (--max-age)", moment(success));
        return (Level::Critical, text);
    }
    let failure = groups.iter().filter_map(|group| group.last_failure).filter(is_recent).max();
    match (failure, groups.iter().map(|group| group.dead).fold(0, u64::saturating_add)) {
        (None, 0) => (Level::Ok, format!("{dir}: a run ended well within {max_age}, and none failed")),
        (Some(failure), 0) => (Level::Warning, format!("{dir}: a run failed at {}", moment(failure))),
        (_, dead) => (Level::Warning, format!("{dir}: killed before the end: {dead}")),
    }
}

/// The first run of all may take its time, but not more than there may be between two.
fn never(status: &Status, max_age: GoDuration) -> (Level, String) {
    let dir = &status.work_dir;
    let members = status.groups.iter().flat_map(|group| &group.members);
    let is_young = |seconds: f64| seconds <= max_age.0.as_secs_f64();
    let failed = status.groups.iter().map(|group| group.runs_failed).fold(0, u64::saturating_add);
    match members.map(|member| member.seconds).reduce(f64::max) {
        Some(oldest) if is_young(oldest) => {
            (Level::Warning, format!("{dir}: no run has ended well yet, one is on its way"))
        }
        _ => (Level::Critical, format!("{dir}: no run ever ended well, failed: {failed}")),
    }
}

fn moment(second: u64) -> String {
    UNIX_EPOCH.checked_add(Duration::from_secs(second)).map_or_else(|| "?".to_owned(), daemon::log::utc)
}

#[cfg(test)]
mod tests;
