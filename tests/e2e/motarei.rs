//! motarei between visitors and containers of a real Docker engine, deployed by a real start_server.

mod bad_deploy;
mod command;
mod drain;
mod engine;
mod hold;
mod labels;
mod listening;
mod matrix;
mod proxy_header;
mod restart;
mod run;
mod state;
mod transfer;

use std::io::{Read, Write};
use std::net::TcpStream;

use e2e::load::Visits;
use e2e::motarei::Motarei;

/// How many requests a container answers at once at a hundred a second: that many are lost when it is killed. On a
/// busy machine they are more by as many as were seen under way at once.
const INSIDE: usize = 10;

/// What stands before `docker run` in a deploy of a label.
type Wrap = fn(&Motarei, &str) -> Vec<String>;

/// Nothing: start_server's signal goes to docker, and so to the container.
fn alone(_: &Motarei, _: &str) -> Vec<String> {
    Vec::new()
}

/// What protects the old container.
fn below_run(proxy: &Motarei, label: &str) -> Vec<String> {
    proxy.wrapper(label, &[])
}

/// Nobody was lost but requests inside a container at the moment when it was killed.
fn only_those_inside_are_lost(visits: &Visits) {
    let failures = visits.failures();
    assert!(failures.len() <= INSIDE + visits.most_at_once(), "of {}: {failures:#?}", visits.0.len());
    assert!(visits.failures_coincide(), "not at one moment: {failures:#?}");
}

/// Has one word come back from a container that echoes.
fn echo(mut stream: &TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).unwrap();
    let mut got = vec![0; word.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, word.as_bytes());
}
