//! The command line.

mod monitoring;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::bandwidth::{Bandwidth, Size};
use crate::group::Key;
use crate::member::{Label, Weight};
use crate::schedule::Schedule;
pub use monitoring::{Health, Mackerel, Prometheus, Watch};

/// Copies stdin to stdout at a rate that all sabo processes of a work directory share: together they never
/// exceed --max-bandwidth, and who has nothing to send leaves its share to the others.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "sabo",
    version,
    disable_version_flag = true,
    after_help = EXAMPLES,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    /// The rate that all processes with this limit share, in bytes a second: 100M, 12.5MiB, 1.5g, 800Mbit
    #[arg(long, value_name = "RATE", required = true)]
    pub max_bandwidth: Option<Bandwidth>,

    /// The directory in which the processes find each other
    #[arg(long, value_name = "DIR", required = true)]
    pub work_dir: Option<PathBuf>,

    /// Make the work directory if it is missing
    #[arg(long)]
    pub create: bool,

    /// Share of this process against that of others, from 0.1 to 10
    #[arg(long, value_name = "N", default_value = "1")]
    pub weight: Weight,

    /// What `sabo top` calls this process; at most 48 bytes
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub name: Label,

    /// How much will come, to know when it ends: 12G
    #[arg(long, value_name = "BYTES")]
    pub size: Option<Size>,

    /// Show how far it is on stderr; auto: if that is a terminal; json: a line a second
    #[arg(long, value_name = "auto|always|never|json", default_value = "auto", hide_possible_values = true)]
    pub progress: Progress,

    /// Say at the end how many bytes passed, and what was waited for
    #[arg(long)]
    pub stats: bool,

    /// Limits by local time of day, below --max-bandwidth: '08:00,20M 23:00,100M'
    #[arg(long, value_name = "TIMES")]
    pub schedule: Option<Schedule>,

    /// Share one budget with all limits of the work directory: the smallest counts. All must say it
    #[arg(long)]
    pub one_budget: bool,

    /// Compute a checksum of the bytes, and print it at the end
    #[arg(long, value_name = "sha256", hide_possible_values = true)]
    pub checksum: Option<Checksum>,

    /// End with status 3 if fewer bytes come
    #[arg(long, value_name = "BYTES")]
    pub expect_min: Option<Size>,

    /// Have what was written to a file on the disk (fdatasync) before ending with status 0
    #[arg(long)]
    pub sync: bool,

    /// Print version
    #[arg(short, long, short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,

    /// What to do instead of copying.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Progress {
    Auto,
    Always,
    Never,
    Json,
}

/// Which checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Checksum {
    Sha256,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show who is sending, once a second; q quits. Not on a terminal: once
    Top(Look),
    /// Show who is sending, once
    Status {
        /// Where to look.
        #[command(flatten)]
        look: Look,
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Slow down, pause or resume a group while it runs; lasts until its last process ends
    Ctl(Ctl),
    /// Print what mackerel-agent takes from a plugin
    Mackerel(Mackerel),
    /// Print metrics as Prometheus's text, for the textfile collector of its node exporter
    Metrics(Prometheus),
    /// Check when the last run ended well: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Health(Health),
}

/// Where to look.
#[derive(Clone, Debug, clap::Args)]
pub struct Look {
    /// The directory in which the processes find each other
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,
}

/// What to change, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct Ctl {
    /// The directory in which the processes find each other
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,
    /// Which group: the --max-bandwidth of its processes, or `one` for --one-budget [default: the only one]
    #[arg(long, value_name = "RATE")]
    pub group: Option<Key>,
    /// What to change.
    #[command(flatten)]
    pub change: Change,
}

/// One of the changes.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Change {
    /// The rate from now on; never above what the processes were started with
    #[arg(long, value_name = "RATE")]
    pub max_bandwidth: Option<Bandwidth>,
    /// Let no byte pass until --resume
    #[arg(long)]
    pub pause: Option<bool>,
    /// Go on after --pause
    #[arg(long)]
    pub resume: Option<bool>,
}

const EXAMPLES: &str = "\
Examples:
  mysqldump db | sabo --max-bandwidth 100M --work-dir /var/tmp/dump > db.sql
      as many of these as you like: together 100 MB a second
  sabo --max-bandwidth 100M --work-dir /var/tmp/dump --size 12G --name db < db.sql | ssh host 'cat > db.sql'
      with a progress bar and the time that is left
  sabo --max-bandwidth 100M --work-dir /var/tmp/dump --schedule '08:00,20M 23:00,100M' ...
      20 MB a second by day
  sabo top --work-dir /var/tmp/dump
  sabo ctl --work-dir /var/tmp/dump --max-bandwidth 20M
  sabo ctl --work-dir /var/tmp/dump --pause
  sabo status --work-dir /var/tmp/dump --json
  sabo health --work-dir /var/tmp/dump --max-age 26h
  sabo mackerel --work-dir /var/tmp/dump --name dump

Signals: SIGUSR1 prints what passed so far. SIGTERM, SIGINT and SIGHUP end with the signal's status.
Exit status: 0 if all input was read, written and closed without an error; 1 if not; 2 for a wrong flag or
directory; 3 if fewer bytes than --expect-min came; 141 if the reader of stdout went away.";

#[cfg(test)]
mod tests;
