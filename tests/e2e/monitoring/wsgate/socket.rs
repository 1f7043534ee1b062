//! Where the status is answered, from when to when.

use std::net::TcpListener;

use e2e::destination::Destination;
use e2e::eventually::{PATIENCE, eventually};
use e2e::frame::Frame;
use e2e::process::{Process, Signal};
use e2e::programs::{Gateway, activated, program};
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;
use e2e::supervised::Supervised;
use e2e::websocket::WebSocket;

use super::{CLIENT, SERVER, Watched, shows, to};

fn echo(websocket: &mut WebSocket) {
    websocket.send(&Frame::binary("still here"));
    assert_eq!(websocket.receive_payload(10), b"still here");
}

#[test]
fn it_tells_of_the_drain_to_its_end() {
    let destination = Destination::echo();
    let mut server = Watched::gateway(&to(destination.address), &[]);
    let (mut client, status) = server.client(&[]);
    let application = client.connect();
    shows(&server.status, "wsgate_server_sessions", 1.0);
    let mut open = WebSocket::open(server.gateway.address, "/proxy/db");
    server.gateway.process.signal(Signal::TERM);
    client.process.signal(Signal::TERM);
    for status in [&server.status, &status] {
        eventually("it drains", || {
            (status.try_get("/ready")? == (503, "draining\n".to_owned())).then_some(())
        });
        assert_eq!(status.get("/live").0, 200);
    }
    assert_eq!(server.status.document()["sessions"], 2);
    echo(&mut open);
    drop((open, application));
    for (process, status) in [(&mut server.gateway.process, &server.status), (&mut client.process, &status)] {
        assert!(process.wait(PATIENCE).success());
        assert!(status.try_get("/live").is_none());
    }
}

#[test]
fn the_next_generation_has_it() {
    let (destination, dir) = (Destination::echo(), Scratch::new());
    let status = StatusSocket::at(format!("unix:{}", dir.file("server.sock")));
    let config = format!(
        "status_listen = '{}'\n[[destination]]\nname = 'db'\nupstream = '{}'\n",
        status.address, destination.address
    );
    let mut gateway = Supervised::start(SERVER, "--config", &config);
    let pid = || {
        status
            .try_get("/status")
            .and_then(|(_, text)| serde_json::from_str::<serde_json::Value>(&text).ok()?["pid"].as_u64())
    };
    let first = eventually("the first generation tells", pid);
    let mut open = WebSocket::open(gateway.address, "/proxy/db");
    gateway.hup();
    eventually("the next generation tells", || pid().filter(|pid| *pid != first));
    echo(&mut open);
    assert!(gateway.generations().contains(&u32::try_from(first).unwrap()), "it still carries");
}

#[test]
fn an_inherited_socket_that_is_called_status_is_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let status = StatusSocket::at(listener.local_addr().unwrap().to_string());
    let environment = "LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=status";
    let mut command = activated(listener, SERVER, environment);
    command.args(["--listen", "127.0.0.1:0"]);
    let gateway = Gateway::from_command(command, "db,127.0.0.1:1\n", &[]);
    assert_ne!(gateway.address.to_string(), status.address);
    assert_eq!(status.get("/ready").0, 200);
    assert_eq!(status.document()["program"], SERVER);
}

#[test]
fn an_address_that_somebody_has_is_an_error_with_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dir, address) = (Scratch::new(), taken.local_addr().unwrap().to_string());
    for (name, map) in [(SERVER, "db,127.0.0.1:1\n"), (CLIENT, "127.0.0.1:0,http://127.0.0.1:1/\n")] {
        let map = dir.write("map", map);
        let mut command = std::process::Command::new(program(name));
        command.args(["--map", &map, "--status-listen", &address]);
        if name == SERVER {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut process = Process::spawn(name, &mut command);
        let status = process.wait(e2e::eventually::PATIENCE);
        let said = process.stderr();
        assert!(status.code() == Some(2) && said.contains("--status-listen"), "{status}: {said}");
    }
}
