//! Where the programs listen: both families, inherited sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use e2e::eventually::eventually;
use e2e::http::get;
use e2e::port;
use e2e::process::{Process, Signal};
use e2e::programs::{Client, Gateway, activated, addresses, program};

fn both_families(port: u16) -> [SocketAddr; 2] {
    [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

#[test]
fn the_server_listens_on_both_families_as_go_did() {
    for host in ["", "0.0.0.0", "[::]"] {
        let port = port::free();
        let mut command = Command::new(program("wsgate-server"));
        command.args(["-listen", &format!("{host}:{port}")]);
        let _gateway = Gateway::from_command(command, "", &[]);
        for address in both_families(port) {
            assert_eq!(get(address, "/live").status, 200, "{host}:{port} at {address}");
        }
    }
}

#[test]
fn an_address_of_one_family_is_that_address_alone() {
    for (listen, other) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
        let port = port::free();
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--listen", &format!("{listen}:{port}")]);
        let gateway = Gateway::from_command(command, "", &[]);
        assert_eq!(get(gateway.address, "/live").status, 200);
        assert!(TcpStream::connect(format!("{other}:{port}")).is_err(), "{listen} is not {other}");
    }
}

#[test]
fn the_client_listens_on_both_families() {
    let port = port::free();
    let destination = e2e::destination::Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let client = Client::with_map(&format!(":{port},{}\n", gateway.url("db")), &[]);
    eventually("every address is logged", || (!addresses(&client.process).is_empty()).then_some(()));
    for address in both_families(port) {
        use std::io::{Read, Write};
        let mut application = e2e::programs::connect(address);
        application.write_all(b"hello").unwrap();
        application.read_exact(&mut [0; 5]).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
}

#[test]
fn a_taken_port_is_an_error_with_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut process =
        Process::spawn("wsgate-server", Command::new(program("wsgate-server")).args(["--listen", &address]));
    let status = process.wait(Duration::from_secs(10));
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(process.stderr().contains(&address), "{}", process.stderr());
}

#[test]
fn a_socket_of_systemd_is_used_instead_of_listening() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let not_used = port::free();
    let mut command = activated(listener, "wsgate-server", "LISTEN_PID=$$ LISTEN_FDS=1");
    command.args(["--listen", &format!("127.0.0.1:{not_used}")]);
    let gateway = Gateway::from_command(command, "", &[]);
    assert_eq!(gateway.address, address, "the inherited address is logged");
    assert_eq!(get(address, "/live").status, 200);
    assert!(TcpStream::connect(("127.0.0.1", not_used)).is_err(), "--listen is not used");
}

#[test]
fn sockets_meant_for_another_process_are_not_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let inherited = listener.local_addr().unwrap();
    let mut command = activated(listener, "wsgate-server", "LISTEN_PID=1 LISTEN_FDS=1");
    command.args(["--listen", "127.0.0.1:0"]);
    let gateway = Gateway::from_command(command, "", &[]);
    assert_ne!(gateway.address, inherited);
    assert_eq!(get(gateway.address, "/live").status, 200);
}

#[test]
fn a_socket_of_start_server_is_used_and_closed_at_sigterm() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let destination = e2e::destination::Destination::echo();
    let command = activated(listener, "wsgate-server", &format!("SERVER_STARTER_PORT={address}=3"));
    let mut gateway = Gateway::from_command(command, &destination.map("db"), &[]);
    assert_eq!(gateway.address, address);
    let open = e2e::websocket::WebSocket::open(address, "/proxy/db");
    gateway.process.signal(Signal::TERM);
    // Nobody else holds this socket, so its being closed shows; with start_server the next process has it.
    eventually("the inherited socket is closed", || TcpStream::connect(address).is_err().then_some(()));
    assert!(gateway.process.exited().is_none(), "the open tunnel lives on");
    drop(open);
    assert_eq!(gateway.process.wait(Duration::from_secs(20)).code(), Some(0));
}

#[test]
fn a_malformed_inheritance_is_an_error_and_never_a_silent_fall_back() {
    for value in ["127.0.0.1:8086", "127.0.0.1:8086=abc", "=3", "127.0.0.1:8086=99", "127.0.0.1:8086=-1", ";"]
    {
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--log-format", "json", "--listen", "127.0.0.1:0"]).env("SERVER_STARTER_PORT", value);
        let mut process = Process::spawn("wsgate-server", &mut command);
        assert_eq!(process.wait(Duration::from_secs(10)).code(), Some(2), "{value}: {}", process.stderr());
        assert!(process.stderr().contains("SERVER_STARTER_PORT"), "{value}: {}", process.stderr());
        assert!(addresses(&process).is_empty(), "{value}");
    }
}
