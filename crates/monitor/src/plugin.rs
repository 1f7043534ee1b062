//! `PROGRAM mackerel`: the plugin of mackerel-agent. It prints what daemons computed, and keeps nothing.

mod graphs;
mod lines;
mod metadata;
mod targets;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use serde_json::Value;

use crate::ask::{Asked, Failure, Reply, ask};
use crate::name::Part;
use crate::registry::{Registry, Set};
use crate::said::Said;
use graphs::graphs;
use lines::lines;
use metadata::metadata;
pub use targets::default_address;
use targets::{Target, Targets, targets};

/// The variable with which the agent asks for graphs. In normal runs it is set too, and empty.
const META: &str = "MACKEREL_AGENT_PLUGIN_META";

/// The flags of `PROGRAM mackerel`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MackerelArgs {
    /// Where a daemon answers: its --status-listen; may be given several times
    /// [default: unix:/run/wsgate/PROGRAM.sock]
    #[arg(long, value_name = "ADDR")]
    pub status: Vec<ListenAddr>,

    /// Directory of unix sockets: every *.sock there is asked, so that one plugin serves all programs of a host
    #[arg(long, value_name = "DIR", conflicts_with_all = ["status", "instance"])]
    pub run_dir: Option<PathBuf>,

    /// What names begin with, one for each --status [default: the name of the unix socket without .sock, else the
    /// program's]
    #[arg(long, value_name = "NAME", value_parser = instance_name)]
    pub instance: Vec<String>,

    /// All metrics, not only the twelve that matter first: Mackerel bills by the metric
    #[arg(long)]
    pub all: bool,

    /// Print stable facts as JSON instead, for the agent's metadata: versions, hashes of configurations
    #[arg(long)]
    pub metadata: bool,

    /// What it may take, all together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::health::time)]
    pub timeout: GoDuration,
}

const EXAMPLES: &str = "\
Examples, in mackerel-agent.conf:
  [plugin.metrics.wsgate]
  command = ['PROGRAM', 'mackerel', '--run-dir', '/run/wsgate']
      one plugin for all programs of this host
  command = ['PROGRAM', 'mackerel', '--status', '127.0.0.1:9101', '--instance', 'gateway-1']
      one daemon, whose graphs are called gateway-1
  [plugin.metadata.wsgate]
  command = ['PROGRAM', 'mackerel', '--run-dir', '/run/wsgate', '--metadata']

What has no value yet has no line: rates come after 30 s, percentiles from 20 samples on.
Environment: with a MACKEREL_AGENT_PLUGIN_META that is not empty it prints the graphs, also of a daemon that is down.
The graphs of another program in --run-dir are its daemon's to tell, so it should run when the agent starts.
Of another program than this one --status prints nothing: it is a path copied wrong.
Exit status: 0 if every daemon answered, 1 if one did not (a line on stderr, which the agent logs, says which; what
the others say is printed, and the agent takes it), 2 for a wrong flag. Metadata are all or none, since the agent
takes a missing part for a change, but for a socket in --run-dir at which nobody listens.";

/// The value of `--instance`: what names begin with. Usable as a clap value parser.
///
/// # Errors
/// What to write, if a name of Mackerel cannot have it.
pub fn instance_name(text: &str) -> Result<String, &'static str> {
    if Part::is(text) { Ok(text.to_owned()) } else { Err("write letters, digits, - and _, 64 at most") }
}

/// Whether the agent asks for graphs and not for values.
pub fn wants_graphs(env: impl Fn(&str) -> Option<String>) -> bool {
    env(META).is_some_and(|value| !value.is_empty())
}

/// [`Registry::graphs`] as the agent takes them.
pub fn definitions(graphs: &Value) -> String {
    format!("# mackerel-agent-plugin\n{graphs}\n")
}

/// Runs the plugin. `registry` is the caller's own, as declared: its graphs are there without a daemon.
pub fn mackerel(args: &MackerelArgs, registry: &Registry, env: impl Fn(&str) -> Option<String>) -> Said {
    let (program, timeout) = (registry.program, args.timeout.0);
    let Targets { targets, complaints } = match targets(args, program) {
        Ok(targets) => targets,
        Err(said) => return said,
    };
    let set = if args.all { Set::All } else { Set::Default };
    let mut said = match wants_graphs(env) {
        _ if args.metadata => metadata(&targets, program, timeout),
        true => graphs(&targets, registry, set, timeout),
        false => lines(&targets, program, set, timeout),
    };
    // The agent takes metadata from a plugin that exits with 0 alone.
    if !args.metadata && !complaints.is_empty() {
        said.status = 1;
    }
    said.complaints.splice(0..0, complaints);
    said
}

/// Asks all at once, and hands over what each said, in their order.
fn ask_all(
    targets: &[Target],
    path: impl Fn(&Target) -> String,
    timeout: Duration,
    mut each: impl FnMut(&Target, Result<Reply, Failure>),
) {
    let asked: Vec<Asked> =
        targets.iter().map(|target| ask(&target.address, &path(target), timeout)).collect();
    for (target, asked) in targets.iter().zip(asked) {
        each(target, good(asked));
    }
}

fn good(asked: Asked) -> Result<Reply, Failure> {
    match asked.reply()? {
        reply if reply.code == 200 => Ok(reply),
        reply => Err(Failure::Other(format!("the answer is {}", reply.code))),
    }
}

/// Of what somebody else wrote, enough to find it.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn path(target: &Target, set: Set, meta: &str) -> String {
    let all = if set == Set::All { "&all=1" } else { "" };
    format!("/mackerel?instance={}{all}{meta}", target.instance)
}

impl Said {
    fn complain(&mut self, of: &Target, complaint: impl fmt::Display) {
        self.complaints.push(format!("{}: {complaint}", of.address));
        self.status = 1;
    }
}

#[cfg(test)]
mod tests;
