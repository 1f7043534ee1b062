//! What `sabo status --json` says; the names of its fields are here and nowhere else.

use serde_json::Value;

use super::WorkDir;
use crate::programs::output_of;

const GROUPS: &str = "groups";
const LIMIT: &str = "limit";
const BYTES: &str = "bytes";
const FINISHED: &str = "runs_finished";
const FAILED: &str = "runs_failed";
const MEMBERS: &str = "members";
const PID: &str = "pid";
const NAME: &str = "name";

/// A group, whether anybody is in it or not.
#[derive(Debug)]
pub struct Group {
    /// Bytes a second that its members have together.
    pub limit: u64,
    /// Bytes moved by all of its runs.
    pub bytes: u64,
    /// Runs that ended well.
    pub finished: u64,
    /// Runs that did not.
    pub failed: u64,
    /// Who is in it.
    pub members: Vec<Member>,
}

/// A live process of a group.
#[derive(Debug)]
pub struct Member {
    /// Its process id.
    pub pid: u64,
    /// What it moved so far.
    pub bytes: u64,
    /// What `--name` calls it.
    pub name: Option<String>,
}

/// The groups of a directory, as `sabo status --json` says.
///
/// # Panics
/// When it fails, or what it says is no JSON or lacks a field.
pub fn groups(dir: &WorkDir) -> Vec<Group> {
    let text = output_of(dir.about("status").arg("--json"));
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    list(&value, GROUPS).iter().map(group).collect()
}

/// The only group of a directory.
///
/// # Panics
/// As [`groups`], and when there is none or another one.
pub fn group_of(dir: &WorkDir) -> Group {
    let mut groups = groups(dir);
    assert_eq!(groups.len(), 1, "one limit was used: {groups:?}");
    groups.remove(0)
}

fn group(value: &Value) -> Group {
    Group {
        limit: number(value, LIMIT),
        bytes: number(value, BYTES),
        finished: number(value, FINISHED),
        failed: number(value, FAILED),
        members: list(value, MEMBERS).iter().map(member).collect(),
    }
}

fn member(value: &Value) -> Member {
    let name = value[NAME].as_str().map(str::to_owned);
    Member { pid: number(value, PID), bytes: number(value, BYTES), name }
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} is a number in {value}"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("{field} is a list in {value}"))
}
