//! The flags for tunnels that outlive their WebSockets.

use std::path::PathBuf;

use clap::Args;
use daemon::GoDuration;
use tunnel::size::{ByteSize, Window};

use crate::file::File;

/// What is kept of a tunnel whose WebSocket is gone, for how long, and how much of all of them.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct ResumeArgs {
    /// Keep a tunnel whose WebSocket is gone for so long, so that its client may resume it; 0: end it at
    /// once. What it locks at its destination stays locked as long [default: 120s]
    #[arg(long, value_name = "TIME")]
    pub resume_grace: Option<GoDuration>,

    /// End a tunnel together with its WebSocket, whatever --resume-grace and a destination's own grace say
    #[arg(long)]
    pub no_resume: Option<bool>,

    /// How much of a tunnel may be on its way, from 64KiB to 16MiB, each direction; the smaller of the
    /// gateway's and the client's counts. 1MiB carries about 70 Mbit/s over 120 ms [default: 1MiB]
    #[arg(long, value_name = "SIZE")]
    pub window: Option<Window>,

    /// Tunnels without a WebSocket at once, a quarter of them for one user [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_detached: Option<usize>,

    /// What tunnels without a WebSocket may hold in memory, a quarter of it for one user [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_detached_bytes: Option<ByteSize>,

    /// What all tunnels may hold in memory; beyond it they get slower and none grows
    /// [default: a quarter of the memory, at most 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub buffer_limit: Option<ByteSize>,

    /// How long the balancer in front lets a WebSocket live; clients are told, and replace theirs before.
    /// 0 or not given: nothing is said
    #[arg(long, value_name = "TIME")]
    pub websocket_lifetime: Option<GoDuration>,

    /// Make a client show its credential again so often, by a resume; 0 or not given: never. A tunnel that
    /// cannot be resumed is not asked: see --max-lifetime for those
    #[arg(long, value_name = "TIME")]
    pub reauth_interval: Option<GoDuration>,

    /// Directory (mode 0700) in which the gateway's processes find each other, so that a client whose tunnel
    /// has stayed in the old one after an upgrade is led there [default: $RUNTIME_DIRECTORY, if that is 0700]
    #[arg(long, value_name = "DIR")]
    pub handover_dir: Option<PathBuf>,
}

impl ResumeArgs {
    /// What the command line does not say, as the file says it.
    pub fn or(self, file: &File) -> Self {
        Self {
            resume_grace: self.resume_grace.or(file.resume_grace),
            no_resume: self.no_resume.or(file.no_resume),
            window: self.window.or(file.window),
            max_detached: self.max_detached.or(file.max_detached),
            max_detached_bytes: self.max_detached_bytes.or(file.max_detached_bytes),
            buffer_limit: self.buffer_limit.or(file.buffer_limit),
            websocket_lifetime: self.websocket_lifetime.or(file.websocket_lifetime),
            reauth_interval: self.reauth_interval.or(file.reauth_interval),
            handover_dir: self.handover_dir.or(file.handover_dir.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::Args as All;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_nothing() {
        let text = "resume_grace = '15s'\nno_resume = true\nwindow = '64KiB'\nmax_detached = 7\nmax_detached_bytes = '1MiB'\n\
                    buffer_limit = '2MiB'\nwebsocket_lifetime = '1h'\nreauth_interval = '2h'\nhandover_dir = '/run/wsgate'";
        let file = File::parse(text, Path::new("/etc/wsgate.toml")).unwrap();
        let args = |flags: &[&str]| All::parse_from([&["wsgate-server"][..], flags].concat()).resume;
        let flags = [
            "--resume-grace=15s",
            "--no-resume=true",
            "--window=64KiB",
            "--max-detached=7",
            "--max-detached-bytes=1MiB",
            "--buffer-limit=2MiB",
            "--websocket-lifetime=1h",
            "--reauth-interval=2h",
            "--handover-dir=/run/wsgate",
        ];
        assert_eq!(args(&[]).or(&file), args(&flags));
        let others = args(&["--resume-grace=1s", "--no-resume=false", "--window=1MiB", "--max-detached=1"]);
        let merged = others.clone().or(&file);
        assert_eq!((merged.resume_grace, merged.no_resume), (others.resume_grace, Some(false)));
        assert_eq!((merged.window, merged.max_detached), (Some(Window(1 << 20)), Some(1)));
        assert_eq!(merged.buffer_limit, Some(ByteSize(2 << 20)));
        assert_eq!(others.clone().or(&File::default()), others);
    }
}
