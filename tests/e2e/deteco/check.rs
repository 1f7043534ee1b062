//! A wrong file or flag: exit status 2, the file and its line, and nothing bound.

use std::process::Command;
use std::time::Duration;

use e2e::deteco::{key, service};
use e2e::issuer::{Issuer, KeyServer};
use e2e::process::Process;
use e2e::programs::program;
use e2e::scratch::Scratch;

use super::jwks::by_url;

/// How a deteco with these arguments ends, and what it says.
fn ends(arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::spawn("deteco", Command::new(program("deteco")).args(arguments));
    let status = process.wait(Duration::from_secs(10));
    (status.code(), process.stdout() + &process.stderr())
}

/// All the ways to have a file read: to check it, and to start with it.
fn ways(file: &str) -> [Vec<&str>; 3] {
    [
        vec!["check", "--conf", file],
        vec!["--conf", file, "--dry-run"],
        vec!["--conf", file, "--listen", "127.0.0.1:0"],
    ]
}

#[test]
fn check_and_dry_run_take_a_good_file() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let file = scratch.write("deteco.toml", service("alice", &issuer, &["/path1"]));
    for arguments in &ways(&file)[..2] {
        let (status, said) = ends(arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("listening"), "{arguments:?}: {said}");
        assert!(!said.to_lowercase().contains("warn"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_wrong_file_is_exit_2_with_its_line_and_nothing_is_bound() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let good = service("alice", &issuer, &["/path1"]);
    let private = good.replace(issuer.public_pem().trim_end(), issuer.private_pem().trim_end());
    let rows = [
        ("unknown key", good.replace("paths =", "no_such_key = 1\npaths ="), 1..=4),
        ("unknown global key", format!("no_such_key = 1\n{good}"), 1..=1),
        ("no TOML", good.replace("paths =", "paths"), 3..=3),
        ("dots", good.replace("/path1", "/path1/../x"), 1..=3),
        ("encoded", good.replace("/path1", "/path%31"), 1..=3),
        ("query", good.replace("/path1", "/path1?x"), 1..=3),
        ("empty path", good.replace("/path1", ""), 1..=3),
        ("empty id", good.replace("alice", ""), 1..=3),
        ("quote in the id", good.replace("\"alice\"", "'a\"lice'"), 1..=3),
        ("twice", format!("{good}{good}"), 1..=30),
        ("garbage for a key", good.replace("BEGIN PUBLIC KEY", "BEGIN NOTHING"), 1..=9),
        ("a private key", private, 1..=12),
        ("two keys in one string", good.replace("\n'''", &format!("\n{}'''", issuer.public_pem())), 1..=14),
        ("no policy", format!("uri_policy = \"lenient\"\n{good}"), 1..=1),
        ("no time", format!("leeway = \"soon\"\n{good}"), 1..=1),
        ("an algorithm of another key", format!("{good}{}algorithms = [\"RS256\"]\n", key(&issuer)), 1..=20),
    ];
    for (number, (what, text, lines)) in rows.into_iter().enumerate() {
        assert_ne!(text, good, "{what}");
        let file = scratch.write(&format!("wrong{number}.toml"), text);
        for arguments in ways(&file) {
            let (status, said) = ends(&arguments);
            assert_eq!(status, Some(2), "{what}, {arguments:?}: {said}");
            let told = lines.clone().any(|line| said.contains(&format!("{file}:{line}")));
            assert!(told, "{what}, {arguments:?}: {said}");
            assert!(!said.contains("listening"), "{what}, {arguments:?}: {said}");
        }
    }
}

#[test]
fn an_error_shows_no_private_key() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let text =
        service("alice", &issuer, &["/path1"]).replace(issuer.public_pem().trim_end(), &issuer.private_pem());
    let file = scratch.write("deteco.toml", text);
    for arguments in ways(&file) {
        let (_, said) = ends(&arguments);
        for line in issuer.private_pem().lines().filter(|line| !line.starts_with("---")) {
            assert!(!said.contains(line), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_file_that_is_missing_is_named() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let good = service("alice", &issuer, &["/path1"]);
    let missing = scratch.file("missing");
    let rows = [
        format!("deny_file = {missing:?}\n{good}"),
        format!("{good}[[services.keys]]\nfile = {missing:?}\n"),
        format!("{good}[services.jwks]\nfile = {missing:?}\n"),
    ];
    for text in rows {
        let file = scratch.write("deteco.toml", &text);
        for arguments in ways(&file) {
            let (status, said) = ends(&arguments);
            assert_eq!(status, Some(2), "{text}, {arguments:?}: {said}");
            assert!(said.contains(&missing), "{text}, {arguments:?}: {said}");
        }
    }
    for arguments in ways(&missing) {
        let (status, said) = ends(&arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(&missing), "{arguments:?}: {said}");
    }
    assert_eq!(ends(&["--listen", "127.0.0.1:0"]).0, Some(2), "--conf is required");
}

#[test]
fn check_warns_of_what_is_allowed_and_hardly_meant() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let both = service("alice", &issuer, &["/path1"]) + &service("bob", &issuer, &["/path2"]);
    let wide = service("alice", &issuer, &["/"]);
    let bare = service("alice", &issuer, &["path1"]);
    for (what, text, named) in [
        ("the same key under two ids", both, "bob"),
        ("a prefix that allows everything", wide, "alice"),
        ("a path without its slash", bare, "path1"),
    ] {
        let file = scratch.write("deteco.toml", text);
        let (status, said) = ends(&["check", "--conf", &file]);
        assert_eq!(status, Some(0), "{what}: {said}");
        assert!(said.to_lowercase().contains("warn") && said.contains(named), "{what}: {said}");
    }
}

#[test]
fn check_and_dry_run_never_use_the_network() {
    let (keys, scratch) = (KeyServer::new(), Scratch::new());
    keys.publish(&[&Issuer::es256("a")]);
    let file = scratch.write("deteco.toml", by_url(&keys));
    for arguments in &ways(&file)[..2] {
        let (status, said) = ends(arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
    }
    assert_eq!(keys.fetched(), 0);
}
