//! The flags of what a monitoring agent runs.

use std::path::PathBuf;

use daemon::GoDuration;

/// Which directory, and what its graphs are called.
#[derive(Clone, Debug, clap::Args)]
pub struct Watch {
    /// The directory in which the processes find each other
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,

    /// What tells this directory from others: graphs are called sabo-NAME, and Prometheus's label `name` is it
    /// [default: the directory's own name]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
}

/// The flags of `sabo mackerel`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = MACKEREL)]
pub struct Mackerel {
    /// Where to look.
    #[command(flatten)]
    pub watch: Watch,

    /// All metrics, not only the ten that matter first: Mackerel bills by the metric
    #[arg(long)]
    pub all: bool,

    /// Print stable facts as JSON instead, for the agent's metadata: version, directory, limits
    #[arg(long)]
    pub metadata: bool,
}

/// The flags of `sabo metrics`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = METRICS)]
pub struct Prometheus {
    /// Where to look.
    #[command(flatten)]
    pub watch: Watch,
}

/// The flags of `sabo health`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HEALTH)]
pub struct Health {
    /// The directory in which the processes find each other
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,

    /// How long ago the last run may have ended well: 26h for what runs every night
    #[arg(long, value_name = "TIME", default_value = "26h")]
    pub max_age: GoDuration,
}

impl Watch {
    /// What `--name` says, or else the directory's own name, as far as a name can be so.
    pub(crate) fn name(&self) -> String {
        let own = || {
            let path = std::path::absolute(&self.work_dir).unwrap_or_else(|_| self.work_dir.clone());
            let name = path.file_name().unwrap_or("root".as_ref()).to_string_lossy();
            name.chars().map(|c| if is_allowed(c) { c } else { '_' }).take(LONGEST).collect()
        };
        self.name.clone().unwrap_or_else(own)
    }

    /// What the names of its metrics begin with.
    pub(crate) fn instance(&self) -> String {
        format!("sabo-{}", self.name())
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    match (1..=LONGEST).contains(&text.len()) && text.chars().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err("write letters, digits, - and _, 59 at most"),
    }
}

/// With `sabo-` before it, it must be a part of a name that Mackerel takes: at most 64.
const LONGEST: usize = 59;

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

const MACKEREL: &str = "\
Examples, in mackerel-agent.conf:
  [plugin.metrics.sabo-dump]
  command = ['sabo', 'mackerel', '--work-dir', '/var/tmp/dump', '--name', 'dump']
  [plugin.metadata.sabo-dump]
  command = ['sabo', 'mackerel', '--work-dir', '/var/tmp/dump', '--name', 'dump', '--metadata']

It reads the group files of the directory, all limits together: nobody needs to run. Rates and shares are of the
last 60 s. What is not known has no line: all of it before the first run, and what was waited for while nobody
runs.
Environment: with a MACKEREL_AGENT_PLUGIN_META that is not empty it prints the graphs, even without the directory.
Exit status: 0; 1 if the directory or a group cannot be read (a line on stderr says why, no value is printed); 2 for
a wrong flag.";

const METRICS: &str = "\
Example, once a minute, for the textfile collector of Prometheus's node exporter, which must never see half a file:
  f=/var/lib/node_exporter/textfile/sabo-dump.prom
  sabo metrics --work-dir /var/tmp/dump --name dump > $f.$$ && mv $f.$$ $f || rm -f $f.$$

Exit status: 0 if all of it was written; 1 if the directory or a group cannot be read, or stdout cannot be written;
2 for a wrong flag.";

const HEALTH: &str = "\
Example, in mackerel-agent.conf:
  [plugin.checks.sabo-dump]
  command = ['sabo', 'health', '--work-dir', '/var/tmp/dump', '--max-age', '26h']
      prints one line, which is always the same while all is well

Exit status: 0 OK: a run ended well within --max-age, and none failed in that time; 1 WARNING: some run failed or was
killed; 2 CRITICAL: no run ended well within --max-age; 3 UNKNOWN: no sabo ran there yet, the directory cannot be read,
or a wrong flag.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_called_as_it_is_unless_somebody_says_otherwise() {
        let here = std::env::current_dir().unwrap();
        let here = here.file_name().unwrap().to_string_lossy();
        let table = [
            ("/var/tmp/dump", None, "dump"),
            ("/var/tmp/dump/", None, "dump"),
            ("/var/tmp/dump", Some("db"), "db"),
            (".", None, &*here),
            ("/", None, "root"),
            ("/var/tmp/ünï.c d", None, "_n__c_d"),
        ];
        for (work_dir, name, expected) in table {
            let watch = Watch { work_dir: work_dir.into(), name: name.map(str::to_owned) };
            assert_eq!((watch.name(), watch.instance()), (expected.to_owned(), format!("sabo-{expected}")));
        }
    }

    #[test]
    fn a_name_is_a_part_of_a_name() {
        let (longest, longer) = ("x".repeat(59), "x".repeat(60));
        for (text, good) in [
            ("dump", true),
            ("a-b_1", true),
            (&*longest, true),
            (&*longer, false),
            ("", false),
            ("a.b", false),
        ] {
            assert_eq!(name(text).is_ok(), good, "{text}");
            let instance = monitor::plugin::instance_name(&format!("sabo-{text}"));
            assert_eq!(instance.is_ok(), good || text.is_empty(), "{text}");
        }
    }
}
