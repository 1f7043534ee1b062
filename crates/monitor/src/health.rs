//! `PROGRAM health`: the check of mackerel-agent, and of anything that takes Nagios's exit statuses.

use clap::Args;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use serde_json::Value;

use crate::ask::{Failure, Reply, ask};
use crate::declare::Program;
use crate::plugin::default_address;
use crate::said::Said;

/// The agent cuts a longer message, in characters.
const LONGEST: usize = 1024;

/// The flags of `PROGRAM health`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct HealthArgs {
    /// Where the daemon answers: its --status-listen [default: unix:/run/wsgate/PROGRAM.sock]
    #[arg(long, value_name = "ADDR")]
    pub status: Option<ListenAddr>,

    /// What it may take, all together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub timeout: GoDuration,
}

const EXAMPLES: &str = "\
Examples, in mackerel-agent.conf:
  [plugin.checks.PROGRAM]
  command = ['PROGRAM', 'health', '--status', 'unix:/run/wsgate/PROGRAM.sock']
      prints one line, which is always the same while all is well

Exit status: 0 OK; 1 WARNING: it works, and somebody should look; 2 CRITICAL: it is not ready, or nobody listens
there; 3 UNKNOWN: no answer in time, no answer of this program, it cannot be asked, or a wrong flag.";

/// The value of `--timeout`.
pub(crate) fn time(text: &str) -> Result<GoDuration, String> {
    match text.parse::<GoDuration>() {
        Ok(time) if time.0.is_zero() => Err("write a time above 0".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// What a check has found; its number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well; the text must be the same then, since the agent sends each that differs.
    Ok = 0,
    /// It works, and somebody should look.
    Warning = 1,
    /// It does not do what it should.
    Critical = 2,
    /// It could not be found out.
    Unknown = 3,
}

/// Asks and judges.
pub fn health(args: &HealthArgs, program: Program) -> Said {
    let address = args.status.clone().unwrap_or_else(|| default_address(program));
    let (level, text) = match ask(&address, "/status?brief=1", args.timeout.0).reply() {
        Ok(reply) => judge(&reply, program),
        Err(failure @ Failure::Nobody(_)) => (Level::Critical, format!("{address}: {failure}")),
        Err(failure) => (Level::Unknown, format!("{address}: {failure}")),
    };
    verdict(program, level, &text)
}

/// What a check prints, and its exit status: for one that does not ask a daemon.
pub fn verdict(program: Program, level: Level, text: &str) -> Said {
    Said { text: line(program, level, text), complaints: Vec::new(), status: level as u8 }
}

/// Of a document of this program: the worst thing, and all of that kind.
fn judge(reply: &Reply, program: Program) -> (Level, String) {
    let status: Value = match serde_json::from_str(&reply.body) {
        Ok(status) if reply.code == 200 => status,
        _ => return (Level::Unknown, format!("the answer is {} and no status", reply.code)),
    };
    if let Err(other) = is_of(&status, program) {
        return (Level::Unknown, other);
    }
    let sentences = |field: &str| -> Vec<String> {
        let list = status[field].as_array().into_iter().flatten();
        list.filter_map(|sentence| sentence.as_str().map(str::to_owned)).collect()
    };
    let mut critical = sentences("critical");
    match (status["ready"].as_bool(), status["reason"].as_str()) {
        (Some(true), _) => {}
        (Some(false), why) => {
            critical.insert(0, format!("not ready: {}", why.unwrap_or("no reason is known")))
        }
        (None, _) => return (Level::Unknown, "the answer does not say whether it is ready".to_owned()),
    }
    let warnings = sentences("warnings");
    match (critical.is_empty(), warnings.is_empty()) {
        (false, _) => (Level::Critical, critical.join("; ")),
        (true, false) => (Level::Warning, warnings.join("; ")),
        (true, true) => (Level::Ok, "ready".to_owned()),
    }
}

/// Whether a document is of this program.
///
/// # Errors
/// Who answers instead.
pub(crate) fn is_of(status: &Value, program: Program) -> Result<(), String> {
    match status["program"].as_str() {
        Some(name) if name == program.name => Ok(()),
        Some(other) => Err(format!("{other} answers there, and not {}: mend --status", program.name)),
        None => Err("whoever answers there is none of these programs".to_owned()),
    }
}

/// One line of at most [`LONGEST`] characters, whatever the text has in it.
fn line(program: Program, level: Level, text: &str) -> String {
    let word = match level {
        Level::Ok => "OK",
        Level::Warning => "WARNING",
        Level::Critical => "CRITICAL",
        Level::Unknown => "UNKNOWN",
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let whole = format!("{} {word}: {text}", program.name);
    let mut line: String = whole.chars().map(plain).take(LONGEST - 1).collect();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests;
