//! What a monitoring agent runs once a minute: it prints what the group files say, and keeps nothing.

use anyhow::{Result, anyhow};
use daemon::exit::{Failure, Stage};
use monitor::{Exposition, Said, Set, plugin};
use serde_json::json;

use crate::args::{Mackerel, Prometheus, Watch};
use crate::metrics::{PROGRAM, registry};
use crate::status::print;
use crate::summary::Summary;
use crate::work_dir::WorkDir;

/// Runs the plugin of mackerel-agent: values, graphs if the environment asks for them, or metadata.
pub fn mackerel(args: &Mackerel, env: impl Fn(&str) -> Option<String>) -> Said {
    let said = match plugin::wants_graphs(env) {
        _ if args.metadata => metadata(&args.watch).map_err(|error| vec![format!("{error:#}")]),
        true => Ok(plugin::definitions(
            &registry(&args.watch.name(), None).graphs(Some(&args.watch.instance()), set(args)),
        )),
        false => lines(args),
    };
    match said {
        Ok(text) => Said { text, ..Said::default() },
        Err(complaints) => Said { complaints, status: 1, ..Said::default() },
    }
}

fn set(args: &Mackerel) -> Set {
    if args.all { Set::All } else { Set::Default }
}

/// A part of the directory would look like less traffic, so it is all or nothing.
fn lines(args: &Mackerel) -> Result<String, Vec<String>> {
    let summary = Summary::read(&args.watch.work_dir)?;
    Ok(registry(&args.watch.name(), summary).mackerel(Some(&args.watch.instance()), set(args)))
}

/// The agent sends it when it differs: nothing is in it that changes by itself.
fn metadata(watch: &Watch) -> Result<String> {
    let dir = WorkDir::open(&watch.work_dir, false)?;
    let groups: Vec<_> = dir.groups()?.iter().map(ToString::to_string).collect();
    let facts = json!({
        "program": PROGRAM.name,
        "version": PROGRAM.version,
        "work_dir": dir.path.display().to_string(),
        "groups": groups,
    });
    Ok(format!("{}\n", json!({ watch.instance(): facts })))
}

/// Prints all metrics as Prometheus's text format, version 0.0.4.
///
/// # Errors
/// No such directory; or a group cannot be read, or stdout cannot be written: whoever makes a file of it must
/// know.
pub fn metrics(args: &Prometheus) -> Result<(), Failure> {
    let summary = Summary::read(&args.watch.work_dir).map_err(|complaints| anyhow!(complaints.join("; ")));
    let told = summary
        .and_then(|summary| print(&registry(&args.watch.name(), summary).expose(Exposition::Prometheus)));
    told.running()
}

#[cfg(test)]
mod tests;
