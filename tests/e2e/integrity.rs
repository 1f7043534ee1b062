//! Every byte arrives once and in order, whatever the sizes of the pieces, whoever is at the other end.

use std::net::{Shutdown, TcpStream};
use std::thread;

use e2e::destination::Destination;
use e2e::original::{Ending, Framing, OriginalClient, OriginalServer};
use e2e::pattern;
use e2e::programs::{Client, Gateway, Pair};

const MB: usize = 1_000_000;
/// The two directions carry different bytes.
const UP: u64 = 1;
const DOWN: u64 = 2;

#[test]
fn three_hundred_mb_pass_both_ways_at_once() {
    let total = 300 * MB + 7;
    let destination = both_ways(total);
    let pair = Pair::to(destination.address);
    carry(&pair.connect(), total);
}

#[test]
fn compression_changes_no_byte() {
    let total = 20 * MB + 3;
    let destination = both_ways(total);
    let flags = ["--enable-compression"];
    let pair = Pair::with_flags(destination.address, &flags, &flags);
    carry(&pair.connect(), total);
}

#[test]
fn an_original_client_is_understood_fragments_and_all() {
    original_client_carries(100 * MB + 7, Framing::Fragments);
}

#[test]
fn a_client_that_sends_a_frame_a_write_is_understood() {
    original_client_carries(40 * MB + 7, Framing::FrameAWrite);
}

#[test]
fn our_client_works_with_an_original_server() {
    let total = 100 * MB + 7;
    let destination = both_ways(total);
    let server = OriginalServer::start(destination.address);
    let client = Client::start(&server.url(), &[]);
    carry(&client.connect(), total);
    e2e::eventually::eventually("the original server sees the end", || server.endings().first().cloned());
    assert!(matches!(server.endings()[..], [Ending::Normal | Ending::Own]), "{:?}", server.endings());
}

/// A destination that sends `total` bytes while it checks `total` others, then closes.
fn both_ways(total: usize) -> Destination {
    Destination::serving(move |stream| {
        exchange(&stream, DOWN, UP, total);
        // What the application did not get yet is still on its way: its FIN comes when it has everything.
        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
    })
}

fn carry(application: &TcpStream, total: usize) {
    exchange(application, UP, DOWN, total);
    application.shutdown(Shutdown::Both).unwrap();
}

fn exchange(stream: &TcpStream, send: u64, receive: u64, total: usize) {
    thread::scope(|scope| {
        scope.spawn(|| pattern::write(stream, send, total));
        pattern::read(stream, receive, total);
    });
}

fn original_client_carries(total: usize, framing: Framing) {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let client = OriginalClient::open(gateway.address, "/proxy/db", framing);
    let far = accepted.next();
    thread::scope(|scope| {
        scope.spawn(|| exchange(&far, DOWN, UP, total));
        let sender = client.sender();
        scope.spawn(move || pattern::write(sender, UP, total));
        pattern::read(client.receiver(), DOWN, total);
    });
    client.close();
    assert_eq!(
        e2e::websocket::End::of_stream(&far),
        e2e::websocket::End::Eof,
        "its end without Close is normal"
    );
}
