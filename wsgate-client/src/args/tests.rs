use super::*;
use daemon::argv::{self, Dash};
use std::ffi::OsString;

fn read(line: &str) -> Result<Args, clap::Error> {
    argv::parse(["wsgate-client"].into_iter().chain(line.split(' ')).map(OsString::from), Dash::Double)
}

#[test]
fn the_originals_command_lines_are_read() {
    let args = read(
        "--map m -H A:b --headers C:d --private_key k --private-key-user=alice --connect_timeout 5s \
         --shutdown-timeout=2h --enable_compression --iap_credential=f --iap_client_id i",
    )
    .unwrap();
    assert_eq!(args.map, Some("m".into()));
    assert_eq!(args.headers.iter().map(|h| h.0.as_str()).collect::<Vec<_>>(), ["A:b", "C:d"]);
    assert_eq!(args.private_key, Some("k".into()));
    assert_eq!(args.private_key_user, "alice");
    assert_eq!((args.connect_timeout.0.as_secs(), args.shutdown_timeout.0.as_secs()), (5, 7200));
    assert!(args.enable_compression);
    assert_eq!((args.iap_credential, args.iap_client_id), (Some("f".into()), Some("i".into())));
}

#[test]
fn the_defaults_are_the_originals() {
    let args = read("--map m").unwrap();
    assert_eq!((args.connect_timeout.0.as_secs(), args.shutdown_timeout.0.as_secs()), (60, 3600));
    assert_eq!(args.private_key_user, "private-key-user");
}

#[test]
fn both_versions_of_version_print_the_name_first() {
    for flag in ["-v", "--version"] {
        let text = read(flag).unwrap_err().to_string();
        assert_eq!(text, concat!("wsgate-client ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn what_is_missing_is_named() {
    for (line, missing) in [
        ("-H A:b", "--map"),
        ("--map m --iap-credential f", "--iap-client-id"),
        ("--map m --iap-impersonate a@b", "--iap-client-id"),
    ] {
        let text = read(line).unwrap_err().to_string();
        assert!(text.contains(missing), "{line}: {text}");
    }
}

#[test]
fn one_tunnel_and_a_check_need_no_map() {
    let args = read("--stdio https://gw/proxy/ssh --proxy none --tls-server-name n").unwrap();
    assert_eq!(args.stdio.unwrap().0, "https://gw/proxy/ssh");
    assert!(args.map.is_none() && args.log.log_level.is_none());
    assert!(read("--stdio http://gw/ --map m").is_err());
    for line in ["--ca c check http://gw/ -H A:b", "-H A:b check --ca c http://gw/"] {
        let args = read(line).unwrap();
        let Some(Command::Check { url }) = args.command else { panic!("{line}") };
        assert_eq!((url.0.as_str(), args.ca, args.headers.len()), ("http://gw/", Some("c".into()), 1));
    }
    assert!(read("check").is_err() && read("check http://gw/ --map m").is_err());
}

#[test]
fn every_file_that_is_reloaded_is_watched() {
    let args = read("--map m --ca c --client-cert a --client-key k --private-key p").unwrap();
    assert_eq!(args.watched(), ["m", "c", "a", "k", "p"].map(PathBuf::from));
}

#[test]
fn what_excludes_each_other_is_refused() {
    for line in [
        "--map m --private-key k --token-file f",
        "--map m --private-key k --token-command c",
        "--map m --token-file f --token-command c",
        "--map m --iap-client-id i --iap-self-signed",
    ] {
        let error = read(line).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{line}: {error}");
    }
    for line in [
        "--map m --iap-client-id i",
        "--map m --iap-self-signed",
        "--map m --iap-self-signed --iap-credential f --private-key k",
        "--map m --iap-client-id i --iap-impersonate a@b --token-file f",
    ] {
        read(line).unwrap();
    }
}

#[test]
fn header_values_and_commands_are_not_in_the_debug_form() {
    let args = read("--map m -H X:sesame --token-command sesame").unwrap();
    assert!(!format!("{args:?}").contains("sesame"));
}
