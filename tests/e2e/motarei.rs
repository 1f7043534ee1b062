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

use e2e::motarei::Motarei;

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

/// Has one word come back from a container that echoes.
fn echo(mut stream: &TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).unwrap();
    let mut got = vec![0; word.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, word.as_bytes());
}
