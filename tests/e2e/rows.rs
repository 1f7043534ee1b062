//! Each flag that the programs have has a test that is named after it, and what is declined is declined.

use std::fs;
use std::process::Command;

use e2e::destination::Destination;
use e2e::http::Request;
use e2e::programs::{Gateway, connect, output_of, program, workspace};

/// Flags whose tests have other names, each with the beginning of one.
const ELSEWHERE: [(&str, &str); 9] = [
    ("headers", "the_headers_of_the_flags_are_sent"),
    ("private-key-user", "our_client_signs_with_every_form_of_key"),
    ("allowed-origin", "a_listed_origin_passes_in_a_browser"),
    ("dump-tcp", "level_1_shows_what_the_client_sent"),
    ("dev", "the_printed_commands_reach_hello_and_echo"),
    ("client-key", "client_cert_is_read_again"),
    ("iap-client-id", "iap_credential_is_traded_for_an_identity_token"),
    ("iap-jwks", "iap_jwks_may_be_a_file"),
    ("status-listen", "nothing_of_it_is_answered_where_callers_come"),
];

/// Flags that are no row of a table.
const WITHOUT: [&str; 4] = ["log-format", "log-level", "help", "version"];

#[test]
fn each_flag_has_a_test_that_is_named_after_it() {
    let ours = workspace().join("tests/e2e");
    let tests: Vec<String> = fs::read_dir(&ours)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file()) // a directory is another program's
        .chain([ours.join("monitoring/wsgate.rs")])
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().filter_map(|line| line.strip_prefix("fn ").map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    let mut missing = Vec::new();
    for name in ["wsgate-server", "wsgate-client"] {
        let help = output_of(Command::new(program(name)).arg("--help"));
        let flags = help.lines().filter_map(|line| {
            let (_, rest) = line.split_once("--").filter(|(before, _)| before.trim().len() <= 3)?;
            Some(rest.split([' ', '[', '<']).next().unwrap_or(rest))
        });
        for flag in flags.filter(|flag| !WITHOUT.contains(flag)) {
            let own = flag.replace('-', "_");
            let named =
                ELSEWHERE.iter().find(|(have, _)| *have == flag).map_or(own.as_str(), |(_, test)| test);
            if !tests.iter().any(|test| test.contains(named)) {
                missing.push(format!("{name} --{flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "without a test: {missing:?}");
}

#[test]
fn enable_compression_is_accepted_and_the_extension_declined() {
    let destination = Destination::echo();
    for flags in [&["--enable-compression"][..], &["--enable-compression=true"], &[]] {
        let gateway = Gateway::start(&destination.map("db"), flags);
        let offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let request = Request::upgrade("/proxy/db").with("Sec-WebSocket-Extensions", offer);
        let answer = request.ask_on(&connect(gateway.address));
        assert_eq!(answer.status, 101, "{flags:?}: {answer:?}");
        assert_eq!(answer.header("Sec-WebSocket-Extensions"), None, "{flags:?}: {answer:?}");
    }
}
