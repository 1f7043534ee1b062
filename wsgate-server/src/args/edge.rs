//! The flags for what surrounds the tunnels.

use clap::Args;
use daemon::GoDuration;

/// How long a tunnel may live.
#[derive(Args, Clone, Debug, Default)]
pub struct EdgeArgs {
    /// End a tunnel that has carried nothing for so long; 0 or not given: never
    #[arg(long, value_name = "TIME")]
    pub idle_timeout: Option<GoDuration>,

    /// End a tunnel at this age, whatever it carries; 0 or not given: never
    #[arg(long, value_name = "TIME")]
    pub max_lifetime: Option<GoDuration>,
}
