//! Where the rules come from: the configuration, the files that it names, and JWK sets that are fetched.
//!
//! ```text
//! --conf ──► File ──► Plan ─────────────┐
//!   keys, JWK files, deny list ─► ▲     ├──► Ruleset ──► Snapshot<Ruleset>
//! URLs ──► JwksCache ── keys of now ────┘
//!   ▲ ──► copies in --state-dir
//! ```
//!
//! SIGHUP and a changed file read all of it again; a JWK set whose keys changed is joined with the plan that
//! there is. Either way the next ruleset is made as a whole, and then swapped.

mod denied;
mod draft;
mod facts;
mod keeper;
mod keys;
mod load;
mod plan;
mod sets;
mod warnings;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use daemon::reload::{Snapshot, Watch};

use crate::Ruleset;
use crate::file::File;
use plan::Plan;

pub use denied::DenyListState;
pub use draft::KeyFact;
pub use facts::{Facts, SetFact};
pub use keeper::{Keeper, Upkeep};
pub use load::{CopyFact, JwksFact, Loaded, ServiceFacts, load};

/// What the rules are read from, and what belongs to them.
#[derive(Clone, Debug)]
pub struct RulesOptions {
    /// The configuration file
    pub conf: PathBuf,
    /// How long after its `iat` a token is taken; `None`: as long as `exp` says
    pub freshness: Option<Duration>,
    /// How many tokens that verified are kept; 0 is none
    pub cache_size: usize,
    /// Where copies of fetched JWK sets are kept for the next start; `None`: nowhere
    pub state_dir: Option<PathBuf>,
}

/// The rules of a process. `now` is what decides; `keeper` keeps it up to date.
#[derive(Debug)]
pub struct Rules {
    /// What decides
    pub now: Snapshot<Ruleset>,
    /// Replaces it
    pub keeper: Keeper,
    /// What an operator should look at, though it does not hinder
    pub warnings: Vec<String>,
}

impl Rules {
    /// Reads everything and starts to fetch. Inside a tokio runtime; SIGHUP is caught from now on. It blocks for
    /// as long as reading files takes, and never waits for the network.
    ///
    /// # Errors
    /// The first thing wrong in one of the files.
    pub fn start(options: RulesOptions) -> Result<Rules> {
        check_state_dir(&options)?;
        // Read once for the names of the files, so that they are watched before they are read.
        let named = watched(&options, &File::load(&options.conf)?);
        let watch = Watch::new("configuration", named).on_hangup().context("SIGHUP")?;
        let file = File::load(&options.conf)?;
        watch.paths().replace(watched(&options, &file));
        let plan = Plan::read(file, &options)?;
        let warnings = warnings::of(&plan, SystemTime::now());
        let (keeper, ruleset) = Keeper::start(watch, options, plan, &warnings);
        Ok(Rules { now: Snapshot::new(ruleset), keeper, warnings })
    }
}

/// Every file that the rules are read from.
fn watched(options: &RulesOptions, file: &File) -> Vec<PathBuf> {
    let mut paths = file.paths();
    paths.push(options.conf.clone());
    paths
}

/// Whoever may write there can put a set of keys in it.
fn check_state_dir(options: &RulesOptions) -> Result<()> {
    let Some(directory) = &options.state_dir else { return Ok(()) };
    let name = directory.display();
    let about = fs::metadata(directory).ok().filter(|about| about.is_dir());
    let about = about.with_context(|| format!("--state-dir {name}: no directory; create it"))?;
    let foreign = about.mode() & 0o022 != 0;
    ensure!(!foreign, "--state-dir {name}: others may write it, and so let anybody in; chmod go-w {name}");
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
