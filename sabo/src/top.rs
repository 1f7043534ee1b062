//! The live table.

use std::collections::HashMap;
use std::io::IsTerminal;

use anyhow::Result;
use daemon::exit::{Failure, Stage};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{
    ControlModes, LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::args::Look;
use crate::clock::{self, Clock, Nanos, SECOND};
use crate::signals;
use crate::status::{Status, print, table};
use crate::tally;
use crate::work_dir::WorkDir;

/// Home, and from there on every line is erased behind its end; what is below is erased at the end.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K\r\n";
const REST_OF_SCREEN: &str = "\x1b[J";

/// Shows the groups once a second until q or Ctrl-C; once if stdout is no terminal.
///
/// # Errors
/// No such directory; or it cannot be read, or stdout cannot be written.
pub fn top(look: &Look) -> Result<(), Failure> {
    let dir = WorkDir::open(&look.work_dir, false).configuring()?;
    watch(&dir).running()
}

fn watch(dir: &WorkDir) -> Result<()> {
    let clock = Clock::of_this_kernel();
    if !std::io::stdout().is_terminal() {
        return print(&table(&Status::of(dir, clock)?, usize::MAX));
    }
    signals::handle_quitting();
    let _raw = Raw::enter();
    let mut before = HashMap::new();
    print("\x1b[2J")?;
    while !signals::quit() {
        let now = clock.now();
        let mut status = Status::of(dir, clock)?;
        before = rates(&mut status, &before, now);
        print(&screen(&status))?;
        if quits_before(clock, now + SECOND) {
            break;
        }
    }
    print("\r\n")
}

fn screen(status: &Status) -> String {
    let size = tcgetwinsize(std::io::stdout());
    let (width, height) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
    // A terminal that does not know says 0.
    let width = if width == 0 { 80 } else { usize::from(width.max(20)) };
    let height = if height == 0 { 24 } else { usize::from(height.max(4)) };
    let text = table(status, width);
    let lines = text.lines().take(height - 1);
    let lines: String = lines.flat_map(|line| [line, REST_OF_LINE]).collect();
    format!("{HOME}{lines}{REST_OF_SCREEN}")
}

/// When and at how many bytes a member was seen.
type Seen = HashMap<String, (Nanos, u64)>;

/// Makes the rates those since the last look.
fn rates(status: &mut Status, before: &Seen, now: Nanos) -> Seen {
    let mut seen = Seen::new();
    for member in status.groups.iter_mut().flat_map(|group| &mut group.members) {
        if let Some((at, bytes)) = before.get(&member.xid) {
            member.rate = tally::rate(member.bytes.saturating_sub(*bytes), now - at);
        }
        seen.insert(member.xid.clone(), (now, member.bytes));
    }
    seen
}

/// Waits for a key; whether it is one that quits.
fn quits_before(clock: Clock, deadline: Nanos) -> bool {
    let stdin = std::io::stdin();
    let reads = stdin.is_terminal();
    while !signals::quit() {
        let left = deadline - clock.now();
        if left <= 0 {
            return false;
        }
        if !reads {
            clock.sleep_until(deadline);
            continue;
        }
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if poll(&mut fds, Some(&clock::timespec(left))).is_ok_and(|ready| ready > 0) {
            let mut keys = [0; 16];
            let read = rustix::io::read(&stdin, &mut keys).unwrap_or(0);
            // Nothing read is a terminal that is gone.
            return read == 0 || keys[..read].iter().any(|key| matches!(key, b'q' | b'Q' | 3 | 4));
        }
    }
    true
}

/// Keys arrive at once and are not shown, until the end.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        raw.control_modes.insert(ControlModes::CREAD);
        // A terminal that stays as it is shows the keys, no more.
        let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        Self(Some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // As above.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::MemberStatus;

    #[test]
    fn rates_are_those_since_the_last_look() {
        let member = |xid: &str, bytes| MemberStatus {
            slot: 0,
            pid: 1,
            xid: xid.to_owned(),
            name: String::new(),
            weight: 1.0,
            cap: 1,
            bytes,
            seconds: 1.0,
            rate: 7,
            waited_source: 0.0,
            waited_sink: 0.0,
        };
        let mut before = Seen::new();
        let table = [
            (vec![("a", 100)], vec![7]),
            (vec![("a", 400), ("b", 9)], vec![150, 7]),
            (vec![("b", 3)], vec![0]),
        ];
        for (look, (members, expected)) in (0..).zip(table) {
            let members = members.into_iter().map(|(xid, bytes)| member(xid, bytes)).collect();
            let mut status = Status { groups: vec![group(members)], ..Status::default() };
            before = rates(&mut status, &before, look * 2 * SECOND);
            let seen: Vec<_> = status.groups[0].members.iter().map(|member| member.rate).collect();
            assert_eq!(seen, expected);
        }
    }

    fn group(members: Vec<MemberStatus>) -> crate::status::GroupStatus {
        crate::status::GroupStatus { members, ..crate::status::GroupStatus::default() }
    }
}
