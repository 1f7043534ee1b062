//! What is offered of dialect 2.

use std::sync::Arc;
use std::time::Duration;

use tunnel::dialect2::Budget;
use tunnel::header::Request;
use tunnel::size::quarter_of_memory;

use crate::args::ResumeArgs;
use crate::upgrade::Wanted;

/// What is offered of dialect 2.
#[derive(Debug)]
pub struct Offer {
    /// The largest window of a tunnel, in bytes.
    pub window: u32,
    /// Whether tunnels are to be resumed.
    pub resume: bool,
    /// The longest that one is tried to be resumed.
    pub grace: Duration,
    /// What all tunnels may hold in memory.
    pub budget: Arc<Budget>,
}

impl Offer {
    pub(crate) fn from_args(args: &ResumeArgs) -> Self {
        let grace = args.resume_grace.map_or(Duration::MAX, |grace| grace.0);
        let resume = !args.no_resume && !grace.is_zero();
        let buffers = args.buffer_limit.map_or_else(quarter_of_memory, |size| size.0);
        Self { window: args.window.0, resume, grace, budget: Budget::new(buffers) }
    }

    /// What a new tunnel asks for.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { tunnel: Request::New { window: self.window, resume: self.resume }, cookies: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_grace_of_nothing_is_no_resume() {
        for (flags, resume, seconds) in [
            (&[][..], true, u64::MAX),
            (&["--resume-grace=30s"], true, 30),
            (&["--resume-grace=0"], false, 0),
            (&["--no-resume"], false, u64::MAX),
            (&["--no-resume", "--resume-grace=30s", "--window=64KiB"], false, 30),
        ] {
            let line = ["wsgate-client", "--map=m"].iter().chain(flags);
            let args = crate::Args::try_parse_from(line).unwrap();
            let offer = Offer::from_args(&args.resume);
            assert_eq!((offer.resume, offer.grace.as_secs()), (resume, seconds), "{flags:?}");
            let header = offer.wanted().tunnel.header();
            assert_eq!(header.resume, Some(resume));
            assert_eq!(header.window, Some(if flags.len() == 3 { 65_536 } else { 1 << 20 }));
        }
    }
}
