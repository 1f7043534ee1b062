//! What sabo tells of a work directory, whoever runs there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::eventually::{PATIENCE, eventually};
use e2e::process::{Process, Signal};
use e2e::programs::{needed, output_of};
use e2e::sabo::{WorkDir, endless};
use e2e::status::documented;
use serde_json::Value;

const RATE: u64 = 1_000_000;
/// `nobody` and `nogroup`, wherever there are users.
const NOBODY: u32 = 65_534;

fn about(dir: &WorkDir, word: &str, flags: &[&str]) -> Command {
    let mut command = dir.about(word);
    command.args(flags);
    command
}

/// Lines of the plugin by name, each of which the agent must take.
fn lines(text: &str) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        assert!(name.split('.').all(is_part) && epoch.parse::<u64>().is_ok(), "{line:?}");
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite(), "{line:?}");
        (name.to_owned(), value)
    };
    text.lines().map(line).collect()
}

fn mackerel(dir: &WorkDir) -> BTreeMap<String, f64> {
    lines(&output_of(&mut about(dir, "mackerel", &["--name", "x", "--all"])))
}

/// Samples of Prometheus's text by name, each of which has a type before it and the label.
fn samples(dir: &WorkDir) -> BTreeMap<String, f64> {
    let text = output_of(&mut about(dir, "metrics", &["--name", "x"]));
    let mut samples = BTreeMap::new();
    let mut kind = None;
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(comment) if comment.starts_with("TYPE ") => kind = comment.split(' ').nth(1),
            Some(comment) => assert!(comment.starts_with("HELP sabo_"), "{line}"),
            None => {
                let (name, rest) = line.split_once("{name=\"x\"").unwrap_or_else(|| panic!("{line}"));
                assert_eq!(kind, Some(name), "{text}");
                let value = rest.rsplit_once("} ").unwrap().1.parse().unwrap();
                assert_eq!(samples.insert(name.to_owned(), value), None, "twice: {text}");
            }
        }
    }
    samples
}

fn health(dir: &WorkDir, max_age: &str) -> (i32, String) {
    said(&about(dir, "health", &["--max-age", max_age]).output().unwrap())
}

fn said(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stdout.clone()).unwrap())
}

fn carry(dir: &WorkDir, bytes: usize) {
    let input = dir.beside().write("input", vec![b'x'; bytes]);
    output_of(dir.sabo(RATE).stdin(File::open(input).unwrap()));
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn numbers_move_as_bytes_do_and_stay_when_nobody_runs() {
    let dir = WorkDir::new();
    let running = Process::spawn("sabo", dir.sabo(RATE).stdin(endless()).stdout(Stdio::null()));
    let while_running = eventually("what it waits for is known", || {
        Some(mackerel(&dir)).filter(|lines| lines.contains_key("sabo-x.waiting.limit"))
    });
    assert_eq!(while_running["sabo-x.peers.members"], 1.0);
    assert_eq!(while_running["sabo-x.throughput.limit"], RATE as f64);
    assert!(while_running["sabo-x.waiting.limit"] > 50.0, "it waits for nothing else: {while_running:?}");
    assert!(!while_running.contains_key("sabo-x.last.success"), "none so far");
    drop(running);
    let before = samples(&dir)["sabo_bytes_total"];

    carry(&dir, 1_500_000);
    let after = samples(&dir);
    assert_eq!(after["sabo_bytes_total"] - before, 1_500_000.0);
    assert!((after["sabo_last_success_timestamp_seconds"] - now()).abs() < 10.0);
    assert_eq!((after["sabo_runs_finished_total"], after["sabo_runs_failed_total"]), (1.0, 1.0));
    // In whole seconds, of which the last must be over.
    let rate = after["sabo_bytes_total"] / 60.0;
    let lines = eventually("the last second counts", || {
        let lines = mackerel(&dir);
        ((lines["sabo-x.throughput.rate"] - rate).abs() < 0.001).then_some(lines)
    });
    assert!((lines["sabo-x.utilisation.used"] - 100.0 * rate / RATE as f64).abs() < 0.001, "{lines:?}");
    assert_eq!((lines["sabo-x.peers.members"], lines["sabo-x.throughput.limit"]), (0.0, RATE as f64));
}

#[test]
fn every_line_is_drawn_and_the_graphs_need_no_directory() {
    let dir = WorkDir::new();
    carry(&dir, 10);
    let drawn = |flags: &[&str]| {
        let mut command = about(&dir, "mackerel", flags);
        let text = output_of(command.env("MACKEREL_AGENT_PLUGIN_META", "1"));
        let json = text.strip_prefix("# mackerel-agent-plugin\n").unwrap();
        let value: Value = serde_json::from_str(json).unwrap();
        let mut names = BTreeSet::new();
        for (graph, definition) in value["graphs"].as_object().unwrap() {
            assert!(definition["label"].is_string() && definition["unit"].is_string(), "{definition}");
            for line in definition["metrics"].as_array().unwrap() {
                assert!(line["label"].is_string() && line["stacked"].is_boolean(), "{line}");
                names.insert(format!("{graph}.{}", line["name"].as_str().unwrap()));
            }
        }
        names
    };
    let all = drawn(&["--name", "x", "--all"]);
    let told: BTreeSet<String> = mackerel(&dir).into_keys().collect();
    assert!(told.is_subset(&all), "{told:?} of {all:?}");
    assert!(drawn(&["--name", "x"]).len() <= 12);
    fs::remove_dir_all(dir.path()).unwrap();
    assert_eq!(drawn(&["--name", "x", "--all"]), all);
    let gone = about(&dir, "mackerel", &[]).output().unwrap();
    assert!(gone.status.code() == Some(1) && gone.stdout.is_empty() && !gone.stderr.is_empty(), "{gone:?}");
}

#[test]
fn a_file_of_metrics_is_whole_or_an_error() {
    let dir = WorkDir::new();
    carry(&dir, 10);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = about(&dir, "metrics", &[]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    fs::write(dir.group(5), "garbage").unwrap();
    let output = about(&dir, "metrics", &[]).output().unwrap();
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("sabo_5.group"), "{output:?}");
}

#[test]
fn the_check_knows_who_ended_well() {
    let dir = WorkDir::new();
    assert_eq!(health(&dir, "1h").0, 3, "nobody ever ran");
    let first = Process::spawn("sabo", dir.sabo(RATE).stdin(endless()).stdout(Stdio::null()));
    let (status, text) = eventually("it is there", || Some(health(&dir, "1h")).filter(|said| said.0 != 3));
    assert!(status == 1 && text.contains("on its way"), "{text}");
    drop(first);
    let (status, text) = health(&dir, "1h");
    assert!(status == 2 && text.starts_with("sabo CRITICAL: "), "{text}");

    let dir = WorkDir::new();
    carry(&dir, 10);
    let (status, text) = health(&dir, "1h");
    assert!(status == 0 && text.starts_with("sabo OK: ") && text.lines().count() == 1, "{text}");
    let (_, late) =
        eventually("that was too long ago", || Some(health(&dir, "1s")).filter(|said| said.0 == 2));
    assert!(late.contains("no run ended well since 20") && late.contains("--max-age"), "{late}");
    carry(&dir, 10);
    assert_eq!(health(&dir, "1h"), (0, text), "the same text, so that it is not sent again");
}

#[test]
fn the_check_knows_who_was_killed() {
    for (signal, whole) in [(Signal::KILL, "killed"), (Signal::TERM, "a run failed at 20")] {
        let dir = WorkDir::new();
        carry(&dir, 10);
        let mut victim = Process::spawn("sabo", dir.sabo(RATE).stdin(endless()).stdout(Stdio::null()));
        eventually("it is there", || (mackerel(&dir)["sabo-x.peers.members"] > 0.0).then_some(()));
        victim.signal(signal);
        victim.wait(PATIENCE);
        let (status, text) = health(&dir, "1h");
        assert!(status == 1 && text.contains(whole), "{signal:?}: {text}");
        assert_eq!(mackerel(&dir)["sabo-x.runs.failed"], 1.0, "{signal:?}: nobody came since");
        carry(&dir, 10);
        let (status, text) = health(&dir, "1h");
        assert!(status == 1 && text.contains("a run failed at 20"), "{signal:?}, and not made good: {text}");
        assert_eq!(mackerel(&dir)["sabo-x.runs.failed"], 1.0, "{signal:?}: once");
    }
}

#[test]
fn who_may_not_look_is_told_who_may() {
    assert!(rustix::process::geteuid().is_root(), "only root can be two users: run it as root");
    let dir = WorkDir::new();
    carry(&dir, 10);
    let copy = dir.beside().file("sabo");
    fs::copy(dir.sabo(RATE).get_program(), &copy).unwrap();
    let ask = |word: &str| {
        let mut command = Command::new(needed("setpriv", "util-linux"));
        command.args([
            &*format!("--reuid={NOBODY}"),
            &*format!("--regid={NOBODY}"),
            "--clear-groups",
            "--",
            &*copy,
        ]);
        command.args([word, "--work-dir"]).arg(dir.path()).output().unwrap()
    };
    let (status, text) = said(&ask("health"));
    assert!(status == 3 && text.contains("be that user or root"), "{text}");
    let plugin = ask("mackerel");
    assert!(plugin.status.code() == Some(1) && plugin.stdout.is_empty(), "{plugin:?}");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (status, text) = said(&ask("health"));
    assert!(status == 3 && text.contains("be root or a user who may read it"), "{text}");
    chown(dir.group(RATE), Some(NOBODY), None).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said(&ask("health")).0, 0);
}

/// What is shipped and documented is what there is.
#[test]
fn the_page_is_right() {
    let dir = WorkDir::new();
    carry(&dir, 10);
    let page = documented("sabo");
    let names = samples(&dir).into_keys();
    let lines = mackerel(&dir).into_keys().map(|name| name.replace("sabo-x.", ""));
    for name in names.chain(lines) {
        assert!(page.contains(&format!("`{name}`")), "{name} is on the page");
    }
}
