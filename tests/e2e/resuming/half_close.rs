//! One end is done and the other is not: both programs keep the half that is open.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use e2e::destination::Destination;
use e2e::nginx::{LISTEN, Nginx};
use e2e::pattern::{self, Pattern};
use e2e::process::Process;
use e2e::programs::{half_close, needed, output_of};
use e2e::scratch::Scratch;
use e2e::sshd::Sshd;

use super::Path;

const MIB: usize = 1 << 20;

#[test]
fn ssh_carries_a_file_to_its_end_and_back() {
    let sshd = Sshd::start();
    let path = Path::to(sshd.address);
    let content = Pattern::new(6).take(4 * MIB);
    let scratch = Scratch::new();
    let file = scratch.write("file", &content);
    let mut command = sshd.ssh(path.client.address, "cat");
    let output = command.stdin(std::fs::File::open(file).unwrap()).output().unwrap();
    assert!(output.status.success() && output.stdout == content, "{} bytes", output.stdout.len());
    assert_eq!(path.audited("close", 1)["why"], "end of file");
}

#[test]
fn an_answer_that_waits_for_the_end_of_the_question_arrives() {
    let port = e2e::port::free().to_string();
    let mut server = Command::new(needed("busybox", "busybox-static"));
    server.args(["nc", "-ll", "-p", &port, "-e", "sha256sum"]).stdin(Stdio::null());
    let _server = Process::spawn("nc", &mut server);
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    e2e::eventually::eventually("nc listens", || std::net::TcpStream::connect(address).ok());
    let path = Path::to(address);
    let scratch = Scratch::new();
    let file = scratch.write("file", Pattern::new(8).take(3 * MIB));
    let mut client = Command::new(needed("busybox", "busybox-static"));
    client.args(["nc", "127.0.0.1", &path.client.address.port().to_string()]);
    let answer = output_of(client.stdin(std::fs::File::open(&file).unwrap()));
    let expected = output_of(Command::new("sha256sum").arg(&file));
    assert_eq!(answer.split(' ').next(), expected.split(' ').next());
    assert_eq!(path.audited("close", 1)["why"], "end of file");
}

#[test]
fn an_http_client_that_ends_after_its_request_is_answered() {
    let nginx = Nginx::start(&format!("server {{ listen {LISTEN}; location / {{ root www; }} }}"));
    let content = Pattern::new(9).take(2 * MIB);
    std::fs::create_dir(nginx.scratch().path().join("www")).unwrap();
    nginx.scratch().write("www/file", &content);
    let path = Path::to(nginx.address);
    let mut application = path.client.connect();
    application.write_all(b"GET /file HTTP/1.0\r\n\r\n").unwrap();
    half_close(&application);
    let mut answer = Vec::new();
    application.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(&content),
        "{} bytes",
        answer.len()
    );
    assert_eq!(path.audited("close", 1)["why"], "end of file");
}

#[test]
fn what_an_application_says_after_the_destinations_end_arrives() {
    let (destination, accepted) = Destination::played();
    let path = Path::to(destination.address);
    let application = path.client.connect();
    let far = accepted.next();
    pattern::write(&far, 1, 1000);
    half_close(&far);
    pattern::read(&application, 1, 1000);
    assert_eq!((&application).read(&mut [0]).unwrap(), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| pattern::write(&application, 2, 8 * MIB));
        pattern::read(&far, 2, 8 * MIB);
    });
    assert_eq!(path.metric("sessions") as u32, 1, "it is open still");
    half_close(&application);
    assert_eq!((&far).read(&mut [0]).unwrap(), 0);
    assert_eq!(path.audited("close", 1)["why"], "end of file");
}
