use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::member::Identity;
use crate::tally::Waits;

fn args(work_dir: &Path) -> Mackerel {
    let watch = Watch { work_dir: work_dir.to_owned(), name: Some("dump".to_owned()) };
    Mackerel { watch, all: false, metadata: false }
}

fn plain(args: &Mackerel) -> Said {
    mackerel(args, |_| Some(String::new()))
}

/// The names of the lines, which must be such as the agent takes.
fn names(text: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(value.parse::<f64>().unwrap().is_finite() && epoch.parse::<u64>().unwrap() > 0, "{line}");
        name.to_owned()
    };
    text.lines().map(name).collect()
}

/// The names that are drawn, without a directory.
fn drawn(all: bool) -> BTreeSet<String> {
    let said = mackerel(&Mackerel { all, ..args(Path::new("/nowhere/at/all")) }, |_| Some("1".to_owned()));
    let json = said.text.strip_prefix("# mackerel-agent-plugin\n").unwrap();
    let graphs: Value = serde_json::from_str(json).unwrap();
    let graphs = graphs["graphs"].as_object().unwrap().iter();
    let lines = |(graph, definition): (&String, &Value)| -> Vec<String> {
        let metrics = definition["metrics"].as_array().unwrap().iter();
        metrics.map(|line| format!("{graph}.{}", line["name"].as_str().unwrap())).collect()
    };
    graphs.flat_map(lines).collect()
}

#[test]
fn the_default_set_is_the_one_that_is_billed() {
    let expected = [
        "last.success",
        "peers.members",
        "runs.failed",
        "runs.finished",
        "throughput.limit",
        "throughput.rate",
        "utilisation.used",
        "waiting.limit",
        "waiting.sink",
        "waiting.source",
    ];
    assert_eq!(drawn(false), expected.map(|name| format!("sabo-dump.{name}")).into());
    let more: Vec<_> = drawn(true).difference(&drawn(false)).cloned().collect();
    assert_eq!(
        more,
        ["clock.resets", "last.failure", "peers.originals"].map(|name| format!("sabo-dump.{name}"))
    );
}

#[test]
fn what_is_not_known_has_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let missing = plain(&args(&dir.path().join("missing")));
    assert_eq!((missing.status, &*missing.text, missing.complaints.len()), (1, "", 1));
    assert_eq!(plain(&args(dir.path())), Said::default(), "before the first run");

    let mut member = Identity::plain(dir.path(), 1000).join();
    member.count(7, Waits { limit: 5, ..Waits::default() });
    let without: Vec<_> = drawn(false).difference(&names(&plain(&args(dir.path())).text)).cloned().collect();
    let waiting = ["limit", "sink", "source"].map(|line| format!("sabo-dump.waiting.{line}"));
    assert_eq!(
        without,
        [vec!["sabo-dump.last.success".to_owned()], waiting.to_vec()].concat(),
        "in its first second"
    );
    member.finish();

    std::fs::write(dir.path().join("sabo_5.group"), "garbage").unwrap();
    let garbage = plain(&args(dir.path()));
    assert_eq!(
        (garbage.status, &*garbage.text, garbage.complaints.len()),
        (1, "", 1),
        "part of it would be less"
    );
}

#[test]
fn the_metadata_changes_when_a_limit_comes() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = || {
        let said = plain(&Mackerel { metadata: true, ..args(dir.path()) });
        let value: Value = serde_json::from_str(&said.text).unwrap();
        value["sabo-dump"].clone()
    };
    assert_eq!((&metadata()["program"], &metadata()["groups"]), (&json!("sabo"), &json!([])));
    let _members = [2_000_000, 1000].map(|limit| Identity::plain(dir.path(), limit).join());
    assert_eq!(metadata()["groups"], json!(["1k", "2M"]));
    assert_eq!(metadata(), metadata());
    assert_eq!(plain(&Mackerel { metadata: true, ..args(&dir.path().join("missing")) }).status, 1);
}

/// Whatever a directory is called.
#[test]
fn any_name_of_a_directory_is_a_name() {
    let parent = tempfile::tempdir().unwrap();
    for name in ["a b", "ünï.c\n", "{\"}", &*"x".repeat(200)] {
        let path = parent.path().join(name);
        std::fs::create_dir(&path).unwrap();
        Identity::plain(&path, 1000).join().finish();
        let watch = Watch { work_dir: path, name: None };
        let text = plain(&Mackerel { watch: watch.clone(), ..args(parent.path()) }).text;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(
            names(&text).iter().all(|name| name.starts_with("sabo-") && name.chars().all(allowed)),
            "{text}"
        );
        let summary = Summary::read(&watch.work_dir).unwrap();
        let text = registry(&watch.name(), summary).expose(Exposition::Prometheus);
        assert!(text.lines().all(|line| line.starts_with('#') || line.starts_with("sabo_")), "{text}");
    }
}
