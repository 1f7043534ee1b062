//! `PROGRAM mackerel`: the plugin of mackerel-agent. It prints what daemons computed, and keeps nothing.

mod targets;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use serde_json::{Map, Value, json};

use crate::ask::{Asked, Reply, ask};
use crate::name::Part;
use crate::registry::{Registry, Set};
use crate::said::Said;
pub use targets::default_address;
use targets::{Target, targets};

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
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub timeout: GoDuration,
}

const EXAMPLES: &str = "\
Examples, in mackerel-agent.conf, where PROGRAM is this one:
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
Exit status: 0 if every daemon answered, 1 if one did not (a line on stderr, which the agent logs, says which; what
the others say is printed, and the agent takes it), 2 for a wrong flag.";

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
    let targets = match targets(args, registry.program) {
        Ok(targets) => targets,
        Err(said) => return said,
    };
    let set = if args.all { Set::All } else { Set::Default };
    match wants_graphs(env) {
        _ if args.metadata => metadata(&targets, args.timeout.0),
        true => graphs(&targets, registry, set, args.timeout.0),
        false => lines(&targets, set, args.timeout.0),
    }
}

/// Asks all at once, and hands over what each said, in their order.
fn ask_all(
    targets: &[Target],
    path: impl Fn(&Target) -> String,
    timeout: Duration,
    mut each: impl FnMut(&Target, Result<Reply, String>),
) {
    let asked: Vec<Asked> =
        targets.iter().map(|target| ask(&target.address, &path(target), timeout)).collect();
    for (target, asked) in targets.iter().zip(asked) {
        let answer = match asked.reply() {
            Ok(reply) if reply.code == 200 => Ok(reply),
            Ok(reply) => Err(format!("{}: the answer is {}", target.address, reply.code)),
            Err(failure) => Err(format!("{}: {failure}", target.address)),
        };
        each(target, answer);
    }
}

fn path(target: &Target, set: Set, meta: &str) -> String {
    let all = if set == Set::All { "&all=1" } else { "" };
    format!("/mackerel?instance={}{all}{meta}", target.instance)
}

fn lines(targets: &[Target], set: Set, timeout: Duration) -> Said {
    let mut said = Said::default();
    ask_all(
        targets,
        |target| path(target, set, ""),
        timeout,
        |_, answer| match answer {
            Ok(reply) => reply.body.lines().filter(|line| is_line(line)).for_each(|line| {
                said.text.push_str(line);
                said.text.push('\n');
            }),
            Err(complaint) => said.complain(complaint),
        },
    );
    said
}

/// Whether the agent takes it: whoever answers there, no line of it makes the server refuse the others.
fn is_line(line: &str) -> bool {
    let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { return false };
    name.split('.').all(Part::is)
        && value.parse::<f64>().is_ok_and(f64::is_finite)
        && epoch.parse::<u64>().is_ok()
}

/// Our own are as declared; those of another program are its daemon's to know.
fn graphs(targets: &[Target], registry: &Registry, set: Set, timeout: Duration) -> Said {
    let mut said = Said::default();
    let mut all = Map::new();
    let others: Vec<Target> = targets.iter().filter(|target| !target.is_ours).cloned().collect();
    for target in targets.iter().filter(|target| target.is_ours) {
        merge(&mut all, registry.graphs(Some(&target.instance), set));
    }
    ask_all(
        &others,
        |target| path(target, set, "&meta=1"),
        timeout,
        |_, answer| match answer.map(|reply| serde_json::from_str(&reply.body)) {
            Ok(Ok(graphs)) => merge(&mut all, graphs),
            Ok(Err(_)) => said.complain("the answer is no JSON".to_owned()),
            Err(complaint) => said.complain(complaint),
        },
    );
    said.text = definitions(&json!({ "graphs": all }));
    said
}

fn merge(all: &mut Map<String, Value>, mut more: Value) {
    if let Some(Value::Object(graphs)) = more.get_mut("graphs").map(Value::take) {
        all.extend(graphs);
    }
}

/// By instance. The agent sends it when it differs, so that nothing that changes by itself is in it.
fn metadata(targets: &[Target], timeout: Duration) -> Said {
    let mut said = Said::default();
    let mut all = Map::new();
    ask_all(
        targets,
        |_| "/status".to_owned(),
        timeout,
        |target, answer| match answer.map(|reply| serde_json::from_str::<Value>(&reply.body)) {
            Ok(Ok(mut status)) => drop(all.insert(target.instance.clone(), status["metadata"].take())),
            Ok(Err(_)) => said.complain(format!("{}: the answer is no JSON", target.address)),
            Err(complaint) => said.complain(complaint),
        },
    );
    if said.status == 0 {
        // Half of it would look like a change.
        said.text = format!("{}\n", Value::Object(all));
    }
    said
}

impl Said {
    fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
        self.status = 1;
    }
}

#[cfg(test)]
mod tests;
