//! While no container is ready, clients wait: a bounded time, a bounded number.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use e2e::docker::{Container, unique_label};
use e2e::eventually::eventually;
use e2e::load::{visit, visit_on};
use e2e::motarei::Motarei;
use e2e::programs::{connect, half_close, reset};
use e2e::websocket::End;

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

fn holds(proxy: &Motarei, count: u64) {
    proxy.shows(&format!("{count} are held"), |status| (status.held() == count).then_some(()));
}

/// Why a client was not served, once it is logged.
fn reason(proxy: &Motarei) -> String {
    eventually("it is logged", || proxy.process.events_of("not served").last()?.text("why"))
}

#[test]
fn who_comes_before_any_container_is_served_when_one_is_ready() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let address = proxy.address();
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..20).map(|_| scope.spawn(move || visit(address))).collect();
        holds(&proxy, 20);
        let _container = Container::start(&label, &["BOOT=1"]);
        for visitor in visitors {
            assert_eq!(visitor.join().unwrap().as_deref(), Ok("1"));
        }
    });
    holds(&proxy, 0);
}

#[test]
fn a_half_close_is_no_reason_to_give_up_a_client() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let mut client = connect(proxy.address());
    client.write_all(b"hello").unwrap();
    half_close(&client);
    holds(&proxy, 1);
    let _container = Container::start(&label, &["SERVE=echo"]);
    let mut got = String::new();
    std::io::Read::read_to_string(&mut client, &mut got).unwrap();
    assert_eq!(got, "hello");
}

#[test]
fn a_client_that_goes_gives_its_place_back() {
    let proxy = Motarei::start(&unique_label(), &["--max-held", "1"]);
    let client = connect(proxy.address());
    holds(&proxy, 1);
    reset(client);
    holds(&proxy, 0);
    let _next = connect(proxy.address());
    holds(&proxy, 1);
}

#[test]
fn the_hold_ends() {
    let proxy = Motarei::start(&unique_label(), &["--hold", "1s"]);
    let start = Instant::now();
    assert_ne!(End::of_stream(&connect(proxy.address())), End::Silence);
    assert!(start.elapsed() >= Duration::from_millis(900), "not before its time: {:?}", start.elapsed());
    let silent = reason(&proxy);
    assert!(silent.contains("--hold"), "{silent}");
    let mut asking = connect(proxy.address());
    asking.write_all(REQUEST).unwrap();
    assert_eq!(End::of_stream(&asking), End::Reset, "nobody may believe that the request was read");
    holds(&proxy, 0);
}

#[test]
fn no_more_than_max_held_wait() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--max-held", "2"]);
    let held: Vec<TcpStream> = (0..2).map(|_| connect(proxy.address())).collect();
    holds(&proxy, 2);
    let start = Instant::now();
    assert_ne!(End::of_stream(&connect(proxy.address())), End::Silence);
    assert!(start.elapsed() < Duration::from_secs(5), "at once, not after --hold");
    let why = reason(&proxy);
    assert!(why.contains("--max-held"), "{why}");
    let _container = Container::start(&label, &[]);
    for stream in held {
        assert_eq!(visit_on(&stream).as_deref(), Ok("1"));
    }
}

#[test]
fn without_listen_nothing_listens_until_a_container_tells_the_ports() {
    let label = unique_label();
    // An address of loopback that is nobody else's: the image's port is the same for all.
    let bind = format!("127.0.{}.77", std::process::id() % 200 + 20);
    let proxy = Motarei::with_flags(&["--label", &label, "--bind", &bind]);
    proxy.shows("it runs", |status| status.app()["listeners"].as_array().map(drop));
    let address: SocketAddr = format!("{bind}:{}", e2e::docker::IMAGE_PORT).parse().unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    assert_eq!(proxy.address(), address);
    assert_eq!(visit(address).as_deref(), Ok("1"));
}
