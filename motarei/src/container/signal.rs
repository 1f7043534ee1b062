//! Signals by name or number, as `--stop-signal` and a `kill` event have them (signal(7), x86 and ARM).

pub(crate) const KILL: i32 = 9;
pub(crate) const TERM: i32 = 15;

/// In the order of their numbers, from 1 on.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// glibc's SIGRTMIN and SIGRTMAX, which the engine uses too.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of `QUIT`, `SIGQUIT`, `3`, `RTMIN+3` or `RTMAX-1`.
pub(crate) fn number(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let of =
        |from: i32, by: &str| if by.is_empty() { Some(from) } else { from.checked_add(by.parse().ok()?) };
    let number = match name.parse() {
        Ok(number) => Some(number),
        Err(_) if name.starts_with("RTMIN") => of(RTMIN, &name[5..]),
        Err(_) if name.starts_with("RTMAX") => of(RTMAX, &name[5..]),
        Err(_) => {
            let index = NAMES.iter().position(|known| *known == name)?;
            i32::try_from(index + 1).ok()
        }
    };
    number.filter(|number| (1..=RTMAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_and_numbers() {
        for (text, expected) in [
            ("SIGTERM", Some(TERM)),
            ("term", Some(TERM)),
            ("15", Some(15)),
            ("SIGQUIT", Some(3)),
            ("USR2", Some(12)),
            ("WINCH", Some(28)),
            ("SIGSYS", Some(31)),
            ("SIGRTMIN", Some(34)),
            ("RTMIN+3", Some(37)),
            ("RTMAX-14", Some(50)),
            ("", None),
            ("0", None),
            ("65", None),
            ("-1", None),
            ("NONE", None),
            ("RTMIN+99", None),
            ("RTMIN+2147483647", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
