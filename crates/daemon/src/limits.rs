//! The limit of open descriptors, and how many connections fit under it.

use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: listeners, logs, files being reloaded, the runtime's own.
const RESERVED: u64 = 64;

/// Raises the soft limit of open descriptors (RLIMIT_NOFILE) to the hard one, as Go's runtime does, and
/// returns the limit then in force. If the kernel refuses, the limit stays what it was.
pub fn raise_descriptors() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: now.maximum, maximum: now.maximum };
    let in_force = setrlimit(Resource::Nofile, raised).map_or(now.current, |()| now.maximum);
    in_force.unwrap_or(u64::MAX)
}

/// How many connections are allowed, and whether that is fewer than was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxConnections {
    /// The number in force.
    pub allowed: usize,
    /// To be logged as a warning.
    pub lowered: Option<Lowered>,
}

/// Fewer connections than wanted fit under the limit of open descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lowered {
    /// What was asked for.
    pub wanted: usize,
    /// What is allowed.
    pub allowed: usize,
    /// The limit of open descriptors.
    pub limit: u64,
}

/// A carried connection needs two descriptors, one for each side: (limit − 64) / 2 of them fit, and at least
/// one is allowed.
pub fn max_connections(wanted: usize, limit: u64) -> MaxConnections {
    let fit = usize::try_from(limit.saturating_sub(RESERVED) / 2).unwrap_or(usize::MAX).max(1);
    let allowed = wanted.min(fit);
    let lowered = (allowed < wanted).then_some(Lowered { wanted, allowed, limit });
    MaxConnections { allowed, lowered }
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lowered { wanted, allowed, limit } = self;
        write!(
            f,
            "at most {allowed} connections instead of {wanted}: the limit of open descriptors is {limit}, \
             raise it with LimitNOFILE= or ulimit -Hn"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_connections_under_the_limit() {
        let table =
            [(10_000, 1_048_576, 10_000), (10_000, 1024, 480), (480, 1024, 480), (5, 10, 1), (0, 1024, 0)];
        for (wanted, limit, allowed) in table {
            let max = max_connections(wanted, limit);
            assert_eq!(max.allowed, allowed, "{wanted} of {limit}");
            assert_eq!(max.lowered.is_some(), allowed < wanted);
        }
        assert_eq!(max_connections(usize::MAX, u64::MAX).allowed, (usize::MAX - 64) / 2);
        let text = max_connections(10_000, 1024).lowered.unwrap().to_string();
        assert!(text.contains("480") && text.contains("10000") && text.contains("1024"), "{text}");
    }

    #[test]
    fn raises_the_soft_limit_to_the_hard_one() {
        let limit = raise_descriptors();
        let now = getrlimit(Resource::Nofile);
        assert_eq!((Some(limit), now.current), (now.maximum, now.maximum));
    }
}
