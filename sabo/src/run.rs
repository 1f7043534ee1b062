//! A run from its first byte to its exit status.

use std::process::ExitCode;

use anyhow::anyhow;
use daemon::exit::{Failure, Stage};
use rustix::fd::AsFd;
use rustix::io::Errno;

use crate::carry::{Broken, Carry};
use crate::clock::Clock;
use crate::config::Config;
use crate::member::Member;
use crate::progress::Reporter;
use crate::{closed, say, signals};

/// How a run ended that did not fail on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All input was read, written and closed.
    Well,
    /// The same, but it was less than `--expect-min`.
    Short,
    /// The reader of stdout went away.
    Downstream,
}

impl Ended {
    /// 0, 3, or the end by SIGPIPE, which a shell shows as 141.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Well => ExitCode::SUCCESS,
            Self::Short => ExitCode::from(3),
            Self::Downstream => signals::die_of_closed_pipe(),
        }
    }
}

/// Copies stdin to stdout as `config` says.
///
/// # Errors
/// Whatever keeps a byte from passing.
pub fn run(config: Config) -> Result<Ended, Failure> {
    for (closed, name, fix) in [(closed::stdin(), "stdin", "<&-"), (closed::stdout(), "stdout", ">&-")] {
        if closed {
            return Err(anyhow!("{name} is closed ({fix}): nothing was read")).running();
        }
    }
    let clock = Clock::of_this_kernel();
    let dir = config.identity.open_dir().configuring()?;
    signals::handle();
    let label = config.identity.label.clone();
    let member = Member::join(dir, config.identity.clone(), clock).running()?;
    let reporter = Reporter::new(config.progress, config.size, label.as_str(), clock.now());
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let carried = Carry::new(stdin.as_fd(), stdout.as_fd(), member, clock, reporter);
    match carried.and_then(|carry| finish(carry, &config, clock)) {
        Ok(ended) => Ok(ended),
        Err(Broken::Downstream) => Ok(Ended::Downstream),
        Err(broken) => Err(anyhow!(broken)).running(),
    }
}

fn finish(mut carry: Carry<'_>, config: &Config, clock: Clock) -> Result<Ended, Broken> {
    if config.checksum.is_some() {
        carry.checksum();
    }
    let carried = carry.run().and_then(|()| settle(config));
    carry.end_progress();
    let digest = carried.is_ok().then(|| carry.digest()).flatten();
    if config.stats || digest.is_some() {
        say::line(&carry.tally.line(clock.now(), digest.as_deref()));
    }
    carried?;
    let bytes = carry.tally.bytes;
    match config.expect_min {
        Some(least) if bytes < least.0 => {
            say::line(&format!("only {bytes} bytes came, at least {} were expected (--expect-min)", least.0));
            Ok(Ended::Short)
        }
        _ => {
            carry.member.finish();
            Ok(Ended::Well)
        }
    }
}

/// Has the system say that what was written is written.
fn settle(config: &Config) -> Result<(), Broken> {
    signals::stop_asking();
    if config.sync {
        match rustix::fs::fdatasync(std::io::stdout()) {
            // A pipe, a socket or a terminal has nothing to sync.
            Ok(()) | Err(Errno::INVAL | Errno::ROFS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(Broken::Sink(error.into())),
        }
    }
    closed::close_stdout().map_err(Broken::Sink)
}
