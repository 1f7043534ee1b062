use std::ffi::OsString;

use daemon::argv::{self, Dash};

use super::*;

fn read(line: &str) -> Result<Args, clap::Error> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    argv::parse(["deteco"].into_iter().chain(words).map(OsString::from), Dash::Single)
}

#[test]
fn the_originals_command_lines_are_read() {
    for line in [
        "-listen :8000 -conf c -dry-run -jwt-freshness 5m -auth-endpoint a/b -cache-size 7 -prune-size 9",
        "--listen=:8000 --conf=c --dry_run --jwt_freshness=5m --auth_endpoint=/a/b --cache_size=7 --prune_size=9",
    ] {
        let args = read(line).unwrap();
        assert_eq!((args.listen.to_string().as_str(), args.conf), (":8000", Some("c".into())), "{line}");
        assert_eq!((args.dry_run, args.jwt_freshness.0.as_secs()), (true, 300), "{line}");
        assert_eq!(args.auth_endpoint.as_str(), "/a/b", "{line}");
        assert_eq!((args.cache_size, args.prune_size), (7, 9), "{line}");
    }
}

#[test]
fn the_defaults_are_the_originals() {
    let args = read("--conf c").unwrap();
    assert_eq!((args.listen.to_string().as_str(), args.dry_run), ("127.0.0.1:8080", false));
    assert_eq!((args.jwt_freshness.0.as_secs(), args.auth_endpoint.as_str()), (3600, "/auth"));
    assert_eq!((args.cache_size, args.prune_size), (1000, 100));
    assert_eq!((args.shutdown_timeout.0.as_secs(), args.log_allowed_every), (10, 1));
    assert!(args.trusted_proxy.is_empty() && args.state_dir.is_none() && args.command.is_none());
}

#[test]
fn the_new_flags_are_read() {
    let args =
        read("--conf c --listen unix:/s --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1/128 --state-dir d")
            .unwrap();
    assert_eq!(args.listen.to_string(), "unix:/s");
    assert_eq!((args.trusted_proxy.len(), args.state_dir), (2, Some("d".into())));
}

#[test]
fn what_is_wrong_is_a_usage_error_that_names_it() {
    for (line, named) in [
        ("", "--conf"),
        ("--dry-run", "--conf"),
        ("--conf c --auth-endpoint live", "auth-endpoint"),
        ("--conf c --trusted-proxy 10.0.0.300", "trusted-proxy"),
        ("--conf c --cache-size -1", "cache-size"),
        ("--conf c --no-such", "--no-such"),
        ("--conf c check --conf c", "check"),
        ("check", "--conf"),
    ] {
        let error = read(line).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(named) && error.exit_code() == 2, "{line}: {text}");
    }
}

#[test]
fn a_subcommand_stands_alone() {
    let args = read("check -conf c").unwrap();
    let Some(Command::Check(check)) = args.command else { panic!("check") };
    assert_eq!((check.conf, args.conf), ("c".into(), None));
}

#[test]
fn monitoring_is_off_unless_asked_for_and_its_subcommands_need_no_configuration() {
    assert!(read("--conf c").unwrap().status.status_listen.is_none());
    let args = read("-conf c -status-listen unix:/run/d.sock").unwrap();
    assert_eq!(args.status.status_listen.unwrap().to_string(), "unix:/run/d.sock");
    for (line, is_read) in [
        ("mackerel", true),
        ("mackerel -status unix:/run/d.sock -instance auth -all", true),
        ("mackerel --run_dir /run/wsgate --metadata", true),
        ("mackerel --instance a.b", false),
        ("health -status 127.0.0.1:9", true),
        ("health --conf c", false),
        ("--conf c health", false),
    ] {
        assert_eq!(read(line).is_ok_and(|args| args.command.is_some()), is_read, "{line}");
    }
}

#[test]
fn both_versions_of_version_print_the_name_first() {
    for flag in ["-v", "--version", "-version"] {
        let text = read(flag).unwrap_err().to_string();
        assert_eq!(text, concat!("deteco ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}
