//! What a process does with a signal: SigBlk, SigIgn and SigCgt of `/proc/PID/status` (proc(5)).

/// What becomes of a signal that PID 1 of a container gets from outside. The kernel drops one for which it has
/// no handler (pid_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// There is a handler, or it is blocked to be read from a signalfd. Who waits in sigtimedwait(2), as tini
    /// does, has it neither blocked nor caught while it waits, and looks as if it dropped it.
    Heard,
    Dropped,
}

/// The fate of `signal` (1 to 64); nothing if `status` does not tell.
pub(super) fn fate(status: &str, signal: i32) -> Option<Fate> {
    let bit = 1_u64.checked_shl(u32::try_from(signal).ok()?.checked_sub(1)?)?;
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        u64::from_str_radix(line?.trim(), 16).ok()
    };
    let heard = mask("SigCgt")? | mask("SigBlk")?;
    Some(if heard & bit != 0 { Fate::Heard } else { Fate::Dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_handlers_and_those_who_wait() {
        let status = |blocked: &str, ignored: &str, caught: &str| {
            format!(
                "Name:\tx\nSigPnd:\t0000000000000000\nSigBlk:\t{blocked}\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n"
            )
        };
        const NONE: &str = "0000000000000000";
        for (name, text, signal, expected) in [
            // As recorded: busybox httpd, and sh with a trap.
            ("no handler", status(NONE, "0000000000010000", "0000000000000001"), 15, Some(Fate::Dropped)),
            ("a trap", status(NONE, "0000000000000004", "0000000000014002"), 15, Some(Fate::Heard)),
            ("a signalfd", status("0000000000004001", NONE, NONE), 15, Some(Fate::Heard)),
            ("ignored", status(NONE, "0000000000004000", NONE), 15, Some(Fate::Dropped)),
            ("another signal", status(NONE, NONE, "0000000000004000"), 3, Some(Fate::Dropped)),
            ("the last one", status(NONE, NONE, "8000000000000000"), 64, Some(Fate::Heard)),
            ("none such", status(NONE, NONE, NONE), 0, None),
            ("none such", status(NONE, NONE, NONE), 65, None),
            ("nothing told", "Name:\tx\n".to_owned(), 15, None),
        ] {
            assert_eq!(fate(&text, signal), expected, "{name}");
        }
    }
}
