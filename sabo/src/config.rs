//! What a run does, after every flag is read.

use anyhow::Context;
use daemon::exit::{Failure, Stage};

use crate::args::{Args, Checksum, Progress};
use crate::bandwidth::Size;
use crate::member::Identity;

/// What a run does.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are to the others.
    pub identity: Identity,
    /// How much will come.
    pub size: Option<Size>,
    /// When progress is shown.
    pub progress: Progress,
    /// Whether the last line says what passed.
    pub stats: bool,
    /// What is computed of the bytes.
    pub checksum: Option<Checksum>,
    /// Fewer bytes than this are a failure.
    pub expect_min: Option<Size>,
    /// Whether a file is on the disk before the end.
    pub sync: bool,
}

impl Config {
    /// What the flags of a run say.
    ///
    /// # Errors
    /// If a needed one is missing.
    pub fn from_args(args: Args) -> Result<Self, Failure> {
        let work_dir = args.work_dir.context("--work-dir is needed").configuring()?;
        let limit = args.max_bandwidth.context("--max-bandwidth is needed").configuring()?;
        let identity = Identity {
            work_dir,
            create: args.create,
            limit,
            one_budget: args.one_budget,
            schedule: args.schedule,
            weight: args.weight,
            label: args.name,
        };
        Ok(Self {
            identity,
            size: args.size,
            progress: args.progress,
            stats: args.stats,
            checksum: args.checksum,
            expect_min: args.expect_min,
            sync: args.sync,
        })
    }
}
