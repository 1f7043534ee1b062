//! The flags for tunnels that outlive their WebSockets.

use clap::Args;
use daemon::GoDuration;
use tunnel::size::{ByteSize, Window};

/// What is offered to a gateway that speaks dialect 2; any other one is not asked.
#[derive(Args, Clone, Copy, Debug)]
pub struct ResumeArgs {
    /// End a tunnel together with its WebSocket, instead of resuming it over the next one
    #[arg(long)]
    pub no_resume: bool,

    /// Give a tunnel up that could not be resumed for so long, if the gateway does not earlier; 0: as
    /// --no-resume [default: as long as the gateway keeps it]
    #[arg(long, value_name = "TIME")]
    pub resume_grace: Option<GoDuration>,

    /// How much of a tunnel may be on its way, from 64KiB to 16MiB, each direction; the smaller of ours and
    /// the gateway's counts. 1MiB carries about 70 Mbit/s over 120 ms
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub window: Window,

    /// What all tunnels may hold in memory to send it again; beyond it they get slower and none grows
    /// [default: a quarter of the memory, at most 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub buffer_limit: Option<ByteSize>,
}
