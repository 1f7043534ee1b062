use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Instant;

use clap::Parser;

use serde_json::json;

use super::lines::is_line;
use super::targets::stem;
use super::*;
use crate::sample::{PROGRAM, Sample};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    mackerel: MackerelArgs,
}

fn args(line: &str) -> Result<MackerelArgs, clap::Error> {
    Flags::try_parse_from(["mackerel"].into_iter().chain(line.split_whitespace())).map(|flags| flags.mackerel)
}

fn said(line: &str) -> Said {
    mackerel(&args(line).unwrap(), &Sample::new().registry, |_| None)
}

/// The agent sets the variable, and leaves it empty unless it wants the graphs.
fn meta(line: &str, value: &str) -> Said {
    mackerel(&args(line).unwrap(), &Sample::new().registry, |name| (name == META).then(|| value.to_owned()))
}

/// A daemon at `directory/name` that answers everybody with a registry's lines, graphs and metadata.
fn daemon(directory: &Path, name: &str) -> String {
    let status = json!({
        "program": PROGRAM.name,
        "ready": true,
        "metadata": { "version": "1", "configuration": "c0ffee" },
    });
    let registry = Sample::new().registry;
    serve(directory, name, move |path| {
        let after =
            |key: &str| path.split(['?', '&']).find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
        let (instance, set) =
            (after("instance="), if path.contains("all=1") { Set::All } else { Set::Default });
        match path {
            path if path.starts_with("/status") => status.to_string(),
            path if path.contains("meta=1") => registry.graphs(instance.as_deref(), set).to_string(),
            _ => registry.mackerel(instance.as_deref(), set),
        }
    })
}

/// Answers at `directory/name` to each path.
fn serve(directory: &Path, name: &str, answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = UnixListener::bind(directory.join(name)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 1000]);
            let length = stream.read(&mut head).unwrap();
            let body = answer(String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap());
            stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
    format!("unix:{}", directory.join(name).display())
}

#[test]
fn one_daemon_is_called_by_its_socket_its_program_or_its_instance() {
    let directory = tempfile::tempdir().unwrap();
    let address = daemon(directory.path(), "gate-a.sock");
    for (flags, prefix) in [("", "gate-a."), ("--instance gw1", "gw1."), ("--all", "gate-a.")] {
        let said = said(&format!("--status {address} {flags}"));
        assert_eq!((said.status, said.complaints.len()), (0, 0), "{said:?}");
        assert!(
            said.text.starts_with(prefix)
                && said.text.lines().all(|line| is_line(line, prefix.trim_end_matches('.'))),
            "{}",
            said.text
        );
    }
    let tcp = stem(&"127.0.0.1:1".parse().unwrap(), PROGRAM);
    assert_eq!(tcp, "sample-gate");
}

#[test]
fn a_directory_of_sockets_is_one_plugin() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["motarei.sock", "deteco.sock", "motarei.sock.12", ".hidden.sock"] {
        daemon(directory.path(), name);
    }
    let flags = format!("--run-dir {}", directory.path().display());
    let lines = said(&flags);
    let prefixes: Vec<_> = lines.text.lines().map(|line| line.split('.').next().unwrap()).collect();
    let mut distinct = prefixes.clone();
    distinct.dedup();
    assert_eq!(distinct, ["deteco", "motarei"], "{lines:?}");
    let graphs = meta(&flags, "1");
    assert!(
        graphs.text.contains("\"deteco.rate\"") && graphs.text.contains("\"motarei.rate\""),
        "{graphs:?}"
    );

    // One that was killed harms only itself.
    drop(UnixListener::bind(directory.path().join("dead.sock")).unwrap());
    let lines = said(&flags);
    assert_eq!((lines.status, lines.complaints.len()), (1, 1));
    assert!(lines.complaints[0].contains("dead.sock: nobody answers"), "{lines:?}");
    assert_eq!(lines.text.lines().count(), prefixes.len());
}

#[test]
fn the_graphs_are_there_without_a_daemon() {
    let dead = "--status unix:/proc/none/gate.sock";
    for (value, is_meta) in [("", false), ("1", true)] {
        let said = meta(dead, value);
        assert_eq!(said.text.is_empty(), !is_meta, "{said:?}");
        assert_eq!(said.status, u8::from(!is_meta));
    }
    let text = meta(&format!("{dead} --instance gw"), "1").text;
    let (first, json) = text.split_once('\n').unwrap();
    assert_eq!(first, "# mackerel-agent-plugin");
    let graphs: Value = serde_json::from_str(json).unwrap();
    let mut registry = Sample::new().registry.graphs(Some("gw"), Set::Default);
    assert_eq!(graphs["graphs"], registry["graphs"].take());
}

#[test]
fn metadata_is_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let address = daemon(directory.path(), "gate.sock");
    let good = said(&format!("--metadata --status {address}"));
    assert_eq!(good.text, "{\"gate\":{\"configuration\":\"c0ffee\",\"version\":\"1\"}}\n");
    let half = said(&format!("--metadata --status {address} --status unix:/proc/none/x.sock"));
    assert_eq!((half.text.as_str(), half.status), ("", 1));
}

#[test]
fn what_an_uninstalled_program_left_does_not_withhold_the_metadata_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    daemon(directory.path(), "gate.sock");
    drop(UnixListener::bind(directory.path().join("dead.sock")).unwrap());
    let flags = format!("--metadata --run-dir {}", directory.path().display());
    let stale = said(&flags);
    assert!(stale.status == 0 && stale.text.starts_with("{\"gate\":{"), "{stale:?}");
    assert!(stale.complaints[0].contains("dead.sock: left out: nobody answers"), "{stale:?}");
    serve(directory.path(), "other.sock", |_| "{}".to_owned());
    let other = said(&flags);
    assert_eq!((other.status, other.text.as_str()), (1, ""), "{other:?}");
}

#[test]
fn the_socket_of_another_program_is_a_path_copied_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let other = serve(directory.path(), "gate.sock", |path| match path.starts_with("/status") {
        true => r#"{"program":"deteco","ready":true,"metadata":{}}"#.to_owned(),
        false => "gate.rate.ok\t1\t2\n".to_owned(),
    });
    for flags in ["", "--metadata"] {
        let said = said(&format!("--status {other} {flags}"));
        assert_eq!((said.status, said.text.as_str(), said.complaints.len()), (1, "", 1), "{said:?}");
        assert!(said.complaints[0].ends_with("deteco answers there, and not sample-gate: mend --status"));
    }
    let found = said(&format!("--run-dir {}", directory.path().display()));
    assert_eq!((found.status, found.text.as_str()), (0, "gate.rate.ok\t1\t2\n"), "{found:?}");
}

#[test]
fn sockets_of_one_name_and_too_many_are_told() {
    let directory = tempfile::tempdir().unwrap();
    // Between the two, in the order of their names, there is another.
    for name in ["a.b.sock", "a.c.sock", "a_b.sock"] {
        daemon(directory.path(), name);
    }
    let flags = format!("--run-dir {}", directory.path().display());
    let twice = said(&flags);
    assert_eq!((twice.status, twice.complaints.len()), (1, 1), "{twice:?}");
    let [complaint] = &twice.complaints[..] else { unreachable!() };
    assert!(complaint.contains("/a_b.sock: ") && complaint.contains("/a.b.sock is"), "{complaint}");
    let one = twice.text.lines().filter(|line| line.starts_with("a_b.")).count();
    assert_eq!(twice.text.lines().count(), one * 2, "{}", twice.text);
    for at in 0..65 {
        drop(UnixListener::bind(directory.path().join(format!("{at}.sock"))).unwrap());
    }
    let complaint = &said(&flags).complaints[0];
    assert!(complaint.ends_with(": of 68 sockets only the first 64 are asked"), "{complaint}");
}

#[test]
fn what_the_agent_would_refuse_and_what_is_anothers_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    serve(directory.path(), "gate.sock", |path| match path.contains("meta=1") {
        false => {
            "gate.a.b\t1\t2\nother.a.b\t1\t2\ngatex.a\t1\t2\n# a\ngate\t1\t2\ngate..y\t1\t2\ngate.x\tNaN\t2\n"
                .into()
        }
        true => json!({ "graphs": {
            "gate.good": graph(|_| {}),
            "gate.any.#": graph(|graph| graph["metrics"][0]["name"] = json!("*")),
            "other.good": graph(|_| {}),
            "gate.a b": graph(|_| {}),
            "gate.label": graph(|graph| graph["label"] = json!(1)),
            "gate.unit": graph(|graph| graph["unit"] = json!("furlongs")),
            "gate.none": graph(|graph| graph["metrics"] = json!([])),
            "gate.list": graph(|graph| graph["metrics"] = json!({})),
            "gate.text": graph(|graph| graph["metrics"][0] = json!("a")),
            "gate.name": graph(|graph| graph["metrics"][0]["name"] = json!("a.")),
            "gate.says": graph(|graph| graph["metrics"][0]["label"] = Value::Null),
            "gate.flag": graph(|graph| graph["metrics"][0]["stacked"] = json!("no")),
        }})
        .to_string(),
    });
    let flags = format!("--run-dir {}", directory.path().display());
    let lines = said(&flags);
    assert_eq!((lines.status, lines.text.as_str()), (1, "gate.a.b\t1\t2\n"), "{lines:?}");
    let expected = "gate.sock: left out, being no values of gate: 6 lines, first \"other.a.b\\t1\\t2\"";
    assert!(lines.complaints.len() == 1 && lines.complaints[0].ends_with(expected), "{lines:?}");

    let graphs = meta(&flags, "1");
    let told: Value = serde_json::from_str(graphs.text.split_once('\n').unwrap().1).unwrap();
    let names: Vec<_> = told["graphs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["gate.any.#", "gate.good"]);
    assert_eq!((graphs.status, graphs.complaints.len()), (1, 10), "{graphs:?}");
    assert!(
        graphs.complaints.iter().all(|complaint| complaint.contains("gate.sock: left out, being no graph"))
    );
}

/// One that is as it should be, but for what `change` does.
fn graph(change: impl Fn(&mut Value)) -> Value {
    let mut graph = json!({
        "label": "A",
        "unit": "integer",
        "metrics": [{ "name": "a", "label": "a", "stacked": false }],
    });
    change(&mut graph);
    graph
}

#[test]
fn what_is_wrong_is_named() {
    for (line, part) in [
        ("--status 127.0.0.1:1 --status 127.0.0.1:2", "two daemons would be called sample-gate"),
        ("--status unix:/a/x.sock --status unix:/b/x.sock", "two daemons would be called x"),
        ("--status 127.0.0.1:1 --status 127.0.0.1:2 --instance a", "as often as --status"),
        ("--instance a --instance b", "as often as --status"),
    ] {
        let said = said(line);
        assert_eq!(said.status, 2, "{line}");
        assert!(said.complaints[0].contains(part), "{line}: {said:?}");
    }
    for line in ["--instance a.b", "--run-dir /x --status :1", "--timeout 5", "--status x"] {
        assert!(args(line).is_err(), "{line}");
    }
    assert_eq!(said("--run-dir /proc/none").status, 1);
}

#[test]
fn a_silent_daemon_takes_no_longer_than_the_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let silent = ["a.sock", "b.sock"].map(|name| UnixListener::bind(directory.path().join(name)).unwrap());
    let start = Instant::now();
    let said = said(&format!("--run-dir {} --timeout 200ms", directory.path().display()));
    assert_eq!((said.status, said.text.as_str(), said.complaints.len()), (1, "", 2));
    assert!(said.complaints[0].ends_with("no answer in 0.2 s"), "{said:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop(silent);
}
