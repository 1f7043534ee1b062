//! Options as docker (pflag) and podman write them: `--name value`, `--name=value`, `-n value`, `-nvalue`,
//! and switches joined in one word.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The options that take no value. Every other one is taken to have one, so that a new switch is all that
/// has to be added here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    long: &'static [&'static str],
    short: &'static str,
}

/// Before the command: docker 28, podman 5.
pub(super) const GLOBAL: Switches = Switches {
    long: &[
        "debug",
        "tls",
        "tlsverify",
        "version",
        "help",
        "noout",
        "remote",
        "syslog",
        "trace",
        "transient-store",
    ],
    short: "Dvrh",
};

/// After `run`: docker 28, podman 5.
pub(super) const RUN: Switches = Switches {
    long: &[
        "detach",
        "disable-content-trust",
        "help",
        "init",
        "interactive",
        "no-healthcheck",
        "oom-kill-disable",
        "privileged",
        "publish-all",
        "quiet",
        "read-only",
        "rm",
        "sig-proxy",
        "tty",
        "use-api-socket",
        "env-host",
        "http-proxy",
        "no-hostname",
        "no-hosts",
        "passwd",
        "read-only-tmpfs",
        "replace",
        "rmi",
        "rootfs",
        "tls-verify",
        "unsetenv-all",
    ],
    short: "dhiPqt",
};

/// The options at the beginning of some words.
#[derive(Debug)]
pub(super) struct Span<'a> {
    /// How many words they are.
    pub(super) words: usize,
    set: Vec<(&'a [u8], Option<&'a OsStr>)>,
}

impl Switches {
    /// The options up to the first word that is none.
    pub(super) fn span<'a>(&self, words: &'a [OsString]) -> Span<'a> {
        let mut span = Span { words: 0, set: Vec::new() };
        while let Some(word) = words.get(span.words) {
            let next = words.get(span.words + 1).map(OsString::as_os_str);
            let taken = match word.as_bytes() {
                b"-" | b"--" => break,
                [b'-', b'-', name @ ..] => self.long(name, next, &mut span.set),
                [b'-', names @ ..] => self.short(names, next, &mut span.set),
                _ => break,
            };
            span.words = words.len().min(span.words + taken);
        }
        span
    }

    /// How many words it takes.
    fn long<'a>(
        &self,
        text: &'a [u8],
        next: Option<&'a OsStr>,
        set: &mut Vec<(&'a [u8], Option<&'a OsStr>)>,
    ) -> usize {
        if let Some(equals) = text.iter().position(|byte| *byte == b'=') {
            set.push((&text[..equals], Some(OsStr::from_bytes(&text[equals + 1..]))));
            return 1;
        }
        let is_switch = self.long.iter().any(|name| name.as_bytes() == text);
        set.push((text, next.filter(|_| !is_switch)));
        if is_switch { 1 } else { 2 }
    }

    /// How many words they take.
    fn short<'a>(
        &self,
        text: &'a [u8],
        next: Option<&'a OsStr>,
        set: &mut Vec<(&'a [u8], Option<&'a OsStr>)>,
    ) -> usize {
        for at in 0..text.len() {
            let (name, rest) = (&text[at..=at], &text[at + 1..]);
            let value = rest.strip_prefix(b"=").unwrap_or(rest);
            let is_switch = self.short.as_bytes().contains(&text[at]);
            match (is_switch, rest.first()) {
                (true, None | Some(b'=')) | (false, Some(_)) => {
                    set.push((name, Some(OsStr::from_bytes(value)).filter(|value| !value.is_empty())));
                    return 1;
                }
                (true, Some(_)) => set.push((name, None)),
                (false, None) => {
                    set.push((name, next));
                    return 2;
                }
            }
        }
        1
    }
}

impl<'a> Span<'a> {
    /// Whether a switch is on: the last of its words counts.
    pub(super) fn is_on(&self, long: &str, short: &str) -> bool {
        let named = |name: &&[u8]| *name == long.as_bytes() || *name == short.as_bytes();
        let last = self.set.iter().rev().find(|(name, _)| named(name));
        // The tool refuses what is no boolean.
        last.is_some_and(|(_, value)| {
            value.is_none_or(|value| daemon::argv::go_bool(&value.to_string_lossy()) == Ok(true))
        })
    }

    /// The value of an option by one of its names.
    pub(super) fn value_of(&self, name: &str) -> Option<&'a OsStr> {
        self.set.iter().rev().find(|(set, _)| *set == name.as_bytes())?.1
    }
}
