//! `deteco nginx-check`: reads nginx's configuration, as `nginx -T` prints it, and says where it lets somebody
//! past deteco, or pass for somebody else.
//!
//! ```text
//! text ─► read, dump: directives, includes replaced ─► blocks: what holds where
//!                                                         │
//!         auth_request URI ─► auth locations: auth, cache, upstream
//!                         └─► guarded locations: guarded, identity, refused
//!                                                         ▼
//!                                      findings, like a compiler's
//! ```
//!
//! Every auth location is taken for a way to deteco. Regular expressions are not run, and variables not
//! evaluated: what depends on them is remarked on only where it is certain enough.

mod auth;
mod blocks;
mod cache;
mod dump;
mod finding;
mod glob;
mod guarded;
mod identity;
mod location;
mod read;
mod refused;
mod rewrite;
mod site;
mod upstream;
mod value;

use std::fmt;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use daemon::log::is_hostile;

use blocks::Blocks;
pub use finding::{Finding, Rule, Severity};
pub use read::Place;
use site::Site;

/// The longest text that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// What to check.
#[derive(Clone, Debug, Args)]
pub struct NginxCheckArgs {
    /// The output of nginx -T, or one file of its configuration; -: stdin. Every location that an auth_request
    /// names is taken for a way to deteco
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
}

/// What was found, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each with its place
    pub findings: Vec<Finding>,
}

/// Reads and checks the configuration.
///
/// # Errors
/// If it cannot be read, or is no configuration: exit status 2.
pub fn nginx_check(args: &NginxCheckArgs) -> Result<Report> {
    let (name, text) = match args.file.to_str() {
        Some("-") => ("stdin".to_owned(), read_all(stdin().lock())),
        _ => (args.file.display().to_string(), File::open(&args.file).and_then(read_all)),
    };
    let bytes = text.with_context(|| name.clone())?;
    if bytes.len() as u64 > LONGEST {
        bail!("{name} is longer than 16 MiB");
    }
    check(&String::from_utf8_lossy(&bytes), &name)
}

fn read_all(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Checks `text`, whose file is called `name`.
fn check(text: &str, name: &str) -> Result<Report> {
    let mut findings = Vec::new();
    let tree = dump::tree(text, name, &mut findings)?;
    let blocks = Blocks::of(&tree);
    let site = Site::of(&blocks, &mut findings);
    if site.guarded.is_empty() {
        findings.push(Finding::new(Rule::NoGuard, &dump::start(&tree, name), "there is no auth_request"));
    }
    guarded::check_off(&site, &mut findings);
    rewrite::check(&site, &mut findings);
    for auth in &site.auth {
        auth::check(&site, *auth, &mut findings);
    }
    for guarded in &site.guarded {
        guarded::check(&site, *guarded, &mut findings);
    }
    findings.sort_by(|a, b| (&a.at, a.rule).cmp(&(&b.at, b.rule)));
    findings.dedup_by(|a, b| (&a.at, a.rule) == (&b.at, b.rule));
    Ok(Report { findings })
}

impl Report {
    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.rule.severity() == severity).count()
    }

    /// Whether there is no error: exit status 0, else 1.
    pub fn is_good(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

/// The findings, and the sum. What the configuration says moves no cursor.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.findings.iter().flat_map(|finding| finding.to_string().chars().collect::<Vec<_>>()) {
            match c {
                '\n' => writeln!(f)?,
                _ if is_hostile(c) => write!(f, "{}", c.escape_unicode())?,
                _ => write!(f, "{c}")?,
            }
        }
        let count = |severity, name| match self.count(severity) {
            1 => format!("1 {name}"),
            many => format!("{many} {name}s"),
        };
        let (errors, warnings) = (count(Severity::Error, "error"), count(Severity::Warning, "warning"));
        writeln!(f, "{errors}, {warnings}, {}", count(Severity::Notice, "notice"))
    }
}

#[cfg(test)]
mod tests;
