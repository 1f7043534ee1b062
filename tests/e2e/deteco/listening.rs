//! Where deteco listens, and whom it believes to be asking.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use e2e::application::Application;
use e2e::deteco::{Deteco, question, service};
use e2e::eventually::eventually;
use e2e::http::{Request, Response, get as page};
use e2e::issuer::Issuer;
use e2e::nginx::{Nginx, Sample};
use e2e::process::Process;
use e2e::programs::{activated, patient, program};
use e2e::scratch::Scratch;
use socket2::{Domain, Socket, Type};

use super::{Site, get};

/// deteco on a unix socket below nginx.
fn on_a_unix_socket(issuer: &Issuer, scratch: &Scratch) -> (Process, Nginx, Application) {
    let socket = scratch.file("deteco.sock");
    let conf = scratch.write("deteco.toml", service("alice", issuer, &["/path1"]));
    let mut command = Command::new(program("deteco"));
    command.args(["--listen", &format!("unix:{socket}"), "--conf", &conf, "--log-format", "json"]);
    let process = Process::spawn("deteco", &mut command);
    eventually("it listens", || process.events_of("listening").pop());
    let application = Application::start();
    let nginx = Sample::new(format!("unix:{socket}"), application.address()).start();
    (process, nginx, application)
}

/// The client of the last decision, once there are so many.
fn client(process: &Process, decisions: usize) -> String {
    eventually("the decision is logged", || {
        let all = process.events_of("decision");
        (all.len() >= decisions).then(|| all.last()?.text("client")).flatten()
    })
}

/// A client that comes from another address of loopback.
fn ask_from(source: &str, address: SocketAddr, request: &Request) -> Response {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&format!("{source}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    patient(&stream);
    request.ask_on(&stream)
}

#[test]
fn a_unix_socket_below_nginx_and_its_peer_is_believed() {
    let (issuer, scratch) = (Issuer::es256("a"), Scratch::new());
    let (process, nginx, _application) = on_a_unix_socket(&issuer, &scratch);
    let request = get("/path1", &issuer.bearer("alice")).with("X-Real-IP", "203.0.113.7");
    assert_eq!(ask_from("127.0.0.9", nginx.address, &request).status, 200);
    assert_eq!(client(&process, 1), "127.0.0.9", "nginx says who it is, not the client");
    assert_eq!(get("/path1", "").ask(nginx.address).status, 401);
    assert_eq!(get("/secret", &issuer.bearer("alice")).ask(nginx.address).status, 403);
}

#[test]
fn x_real_ip_is_logged_from_a_trusted_proxy_only() {
    let (issuer, application) = (Issuer::es256("a"), Application::start());
    let conf = service("alice", &issuer, &["/path1"]);
    for (flags, expected) in [
        (&["--trusted-proxy", "10.0.0.0/8"][..], "127.0.0.1"),
        (&["--trusted-proxy", "127.0.0.0/8"], "127.0.0.9"),
        (&["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "127.0.0.1/32"], "127.0.0.9"),
    ] {
        let deteco = Deteco::start(&conf, flags);
        let nginx = Sample::new(deteco.address, application.address()).start();
        let request = get("/path1", "").with("X-Real-IP", "203.0.113.7");
        assert_eq!(ask_from("127.0.0.9", nginx.address, &request).status, 401);
        assert_eq!(client(&deteco.process, 1), expected, "{flags:?}");
    }
}

#[test]
fn an_x_real_ip_that_is_no_address_is_not_logged() {
    let issuer = Issuer::es256("a");
    let deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &["--trusted-proxy", "127.0.0.0/8"]);
    for (number, value) in ["", "nobody", "1.2.3.4, 5.6.7.8", "1.2.3.4\"", "999.1.1.1"].iter().enumerate() {
        question("/path1", "").with("X-Real-IP", value).ask(deteco.address);
        assert_eq!(client(&deteco.process, number + 1), "127.0.0.1", "{value}");
    }
}

#[test]
fn a_socket_of_systemd_is_used_instead_of_listening() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let not_used = e2e::port::free();
    let mut command = activated(listener, "deteco", "LISTEN_PID=$$ LISTEN_FDS=1");
    command.args(["--listen", &format!("127.0.0.1:{not_used}")]);
    let issuer = Issuer::es256("a");
    let deteco = Deteco::from_command(command, &service("alice", &issuer, &["/path1"]), &[]);
    assert_eq!(deteco.address, address, "the inherited address is logged");
    assert_eq!(deteco.ask("/path1", &issuer.bearer("alice")).status, 200);
    assert!(TcpStream::connect(("127.0.0.1", not_used)).is_err(), "--listen is not used");
}

#[test]
fn the_pages_beside_the_auth_endpoint() {
    let site = Site::new();
    for (path, status) in
        [("/", 200), ("/live", 200), ("/ready", 200), ("/authx", 404), ("/auth/x", 404), ("/x", 404)]
    {
        assert_eq!(page(site.deteco.address, path).status, status, "{path}");
    }
    for method in ["GET", "HEAD", "POST", "DELETE", "FOO"] {
        let request = question("/path1", "").line(&format!("{method} /auth?x=y HTTP/1.1"));
        assert_eq!(request.with("Connection", "close").ask(site.deteco.address).status, 401, "{method}");
    }
}

#[test]
fn the_auth_endpoint_is_where_the_flag_says() {
    let issuer = Issuer::es256("a");
    let conf = service("alice", &issuer, &["/path1"]);
    for endpoint in ["ask", "/ask", "/ask/me", "ask/me"] {
        let deteco = Deteco::start(&conf, &["--auth-endpoint", endpoint]);
        let path = format!("/{}", endpoint.trim_start_matches('/'));
        let ask = |path: &str| {
            let request = question("/path1", &issuer.bearer("alice")).line(&format!("GET {path} HTTP/1.1"));
            request.ask(deteco.address).status
        };
        assert_eq!((ask(&path), ask("/auth")), (200, 404), "{endpoint}");
    }
    for endpoint in ["", "/", "live", "/live", "ready"] {
        let scratch = Scratch::new();
        let conf = scratch.write("deteco.toml", &conf);
        let mut command = Command::new(program("deteco"));
        command.args(["--listen", "127.0.0.1:0", "--conf", &conf, "--auth-endpoint", endpoint]);
        let mut process = Process::spawn("deteco", &mut command);
        assert_eq!(process.wait(Duration::from_secs(10)).code(), Some(2), "{endpoint}: {}", process.stderr());
    }
}
