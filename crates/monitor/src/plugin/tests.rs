use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Instant;

use clap::Parser;

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
    let listener = UnixListener::bind(directory.join(name)).unwrap();
    thread::spawn(move || {
        let registry = Sample::new().registry;
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 1000]);
            let length = stream.read(&mut head).unwrap();
            let path = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap().to_owned();
            let after =
                |key: &str| path.split(['?', '&']).find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
            let (instance, set) =
                (after("instance="), if path.contains("all=1") { Set::All } else { Set::Default });
            let body = match path.as_str() {
                "/status" => {
                    r#"{"ready":true,"metadata":{"version":"1","configuration":"c0ffee"}}"#.to_owned()
                }
                path if path.contains("meta=1") => registry.graphs(instance.as_deref(), set).to_string(),
                _ => registry.mackerel(instance.as_deref(), set) + "# not a line\nx..y\t1\t2\nx\tNaN\t2\n",
            };
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
        assert!(said.text.starts_with(prefix) && said.text.lines().all(is_line), "{}", said.text);
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
