//! What a program tells at its `--status-listen`, and what its plugin and its check say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};

use serde_json::Value;

use crate::eventually::PATIENCE;
use crate::programs::{program, workspace};

/// Where a program answers.
#[derive(Debug, Clone)]
pub struct StatusSocket {
    /// As `--status` takes it: `unix:/path` or `host:port`.
    pub address: String,
}

impl StatusSocket {
    /// At this address.
    pub fn at(address: impl Into<String>) -> StatusSocket {
        StatusSocket { address: address.into() }
    }

    /// The status code and the body; none while nobody answers.
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        match self.address.strip_prefix("unix:") {
            Some(socket) => {
                let stream = UnixStream::connect(socket).ok()?;
                stream.set_read_timeout(Some(PATIENCE)).ok()?;
                exchange(stream, path)
            }
            None => {
                let stream = TcpStream::connect(&self.address).ok()?;
                stream.set_read_timeout(Some(PATIENCE)).ok()?;
                exchange(stream, path)
            }
        }
    }

    /// The same.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap_or_else(|| panic!("{} answers {path}", self.address))
    }

    /// The document of `/status`.
    ///
    /// # Panics
    /// When there is none.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.get("/status").1).expect("the status is JSON")
    }

    /// All of `/metrics`, by `name` or `name{label="value"}`.
    ///
    /// # Panics
    /// When a line is none of the format.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let (code, text) = self.get("/metrics");
        assert_eq!(code, 200);
        let samples = text.lines().filter(|line| !line.starts_with("# "));
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        };
        samples.map(|line| sample(line).unwrap_or_else(|| panic!("{line:?} is no sample"))).collect()
    }

    /// One of them.
    ///
    /// # Panics
    /// When it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let all = self.metrics();
        *all.get(series).unwrap_or_else(|| panic!("{series} is not among {:#?}", all.keys()))
    }

    /// `PROGRAM mackerel` with these flags.
    pub fn plugin(&self, name: &str, flags: &[&str]) -> Output {
        ask(name, &[&["mackerel", "--status", &self.address], flags].concat(), "")
    }

    /// The graphs that the agent is told at its start.
    ///
    /// # Panics
    /// When they are none.
    pub fn graphs(&self, name: &str, flags: &[&str]) -> Value {
        let output = ask(name, &[&["mackerel", "--status", &self.address], flags].concat(), "1");
        let text = String::from_utf8(output.stdout).expect("it is text");
        let json = text.strip_prefix("# mackerel-agent-plugin\n").expect("it begins as the agent wants it");
        serde_json::from_str(json).expect("the graphs are JSON")
    }

    /// `PROGRAM health`: the exit status, and the line.
    pub fn health(&self, name: &str) -> (Option<i32>, String) {
        let output = ask(name, &["health", "--status", &self.address, "--timeout", "1s"], "");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The values that a plugin printed, by name.
///
/// # Panics
/// When a line is not as the agent takes it.
pub fn printed(output: &Output) -> BTreeMap<String, f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| value(line).unwrap_or_else(|| panic!("the agent refuses {line:?}"))).collect()
}

/// The names of the lines in graphs.
///
/// # Panics
/// When one of them is incomplete.
pub fn drawn(graphs: &Value) -> Vec<String> {
    let graphs = graphs["graphs"].as_object().expect("there are graphs");
    let lines = graphs.iter().flat_map(|(name, graph)| {
        assert!(graph["label"].is_string() && graph["unit"].is_string(), "{name}: {graph}");
        let lines = graph["metrics"].as_array().expect("a graph has lines");
        lines.iter().map(move |line| {
            assert!(line["label"].is_string() && line["stacked"].is_boolean(), "{name}: {line}");
            format!("{name}.{}", line["name"].as_str().expect("a line has a name"))
        })
    });
    lines.collect()
}

/// What docs/monitoring.md says of a program.
///
/// # Panics
/// When it says nothing.
pub fn documented(name: &str) -> String {
    let page = fs::read_to_string(workspace().join("docs/monitoring.md")).expect("the page is there");
    let heading = format!("\n## {name}\n");
    let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("the page has no section {name}"));
    section.split("\n## ").next().unwrap_or(section).to_owned()
}

fn value(line: &str) -> Option<(String, f64)> {
    let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = name.split('.').all(|part| !part.is_empty() && part.chars().all(of_name));
    let value = value.parse().ok().filter(|value: &f64| value.is_finite())?;
    (is_name && epoch.parse::<u64>().is_ok()).then(|| (name.to_owned(), value))
}

fn ask(name: &str, arguments: &[&str], meta: &str) -> Output {
    let mut command = Command::new(program(name));
    command.args(arguments).env("MACKEREL_AGENT_PLUGIN_META", meta);
    command.output().expect("our own program starts")
}

fn exchange(mut stream: impl Read + Write, path: &str) -> Option<(u16, String)> {
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
