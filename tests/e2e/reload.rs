//! The gateway's files read again while tunnels are open: by signal, by change, by rename, by a swapped
//! directory; and a bad file that keeps the old.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::issuer::Issuer;
use e2e::process::Signal;
use e2e::programs::Gateway;
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;

/// The status of an upgrade; 101 for a tunnel.
fn status(gateway: &Gateway, name: &str, authorization: &str) -> u16 {
    let request = Request::upgrade(&format!("/proxy/{name}")).with("Authorization", authorization);
    WebSocket::try_open(gateway.address, &request).map_or_else(|answer| answer.status, |_| 101)
}

fn becomes(gateway: &Gateway, name: &str, expected: u16) {
    eventually(&format!("{name} is answered {expected}"), || {
        (status(gateway, name, "Bearer x") == expected).then_some(())
    });
}

fn echoes(websocket: &mut WebSocket) {
    websocket.send(&Frame::binary("hello"));
    assert_eq!(websocket.receive_payload(5), b"hello", "a tunnel that was open lives on");
}

#[test]
fn map_is_reloaded_by_sighup_without_dropping_a_tunnel() {
    let destination = Destination::echo();
    let mut gateway = Gateway::start(&destination.map("old"), &[]);
    let mut open = WebSocket::open(gateway.address, "/proxy/old");
    gateway.scratch().write("server.map", destination.map("new"));
    gateway.process.signal(Signal::HUP);
    becomes(&gateway, "new", 101);
    assert_eq!(status(&gateway, "old", "Bearer x"), 404, "what is no more there is not found");
    echoes(&mut open);
}

#[test]
fn map_is_reloaded_when_it_is_written_and_when_it_is_renamed() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("old"), &[]);
    let mut open = WebSocket::open(gateway.address, "/proxy/old");
    gateway.scratch().write("server.map", destination.map("written"));
    becomes(&gateway, "written", 101);
    let renamed = gateway.scratch().write("server.map.new", destination.map("renamed"));
    fs::rename(renamed, gateway.scratch().file("server.map")).unwrap();
    becomes(&gateway, "renamed", 101);
    becomes(&gateway, "written", 404);
    echoes(&mut open);
}

#[test]
fn map_is_reloaded_when_its_directory_is_swapped() {
    let destination = Destination::echo();
    // As Kubernetes mounts a ConfigMap: server.map -> ..data/server.map, ..data -> ..1
    let volume = Scratch::new();
    let provide = |version: &str, name: &str| {
        fs::create_dir(volume.path().join(version)).unwrap();
        fs::write(volume.path().join(version).join("server.map"), destination.map(name)).unwrap();
        symlink(version, volume.path().join("..data.new")).unwrap();
        fs::rename(volume.path().join("..data.new"), volume.path().join("..data")).unwrap();
    };
    provide("..1", "old");
    symlink("..data/server.map", volume.path().join("server.map")).unwrap();
    let map = volume.file("server.map");
    let gateway = Gateway::start("", &["--map", &map]);
    let mut open = WebSocket::open(gateway.address, "/proxy/old");
    provide("..2", "new");
    fs::remove_dir_all(volume.path().join("..1")).unwrap();
    becomes(&gateway, "new", 101);
    becomes(&gateway, "old", 404);
    echoes(&mut open);
}

#[test]
fn a_bad_map_keeps_the_old_and_is_logged_with_its_line_once() {
    let destination = Destination::echo();
    let mut gateway = Gateway::start(&destination.map("old"), &[]);
    let mut open = WebSocket::open(gateway.address, "/proxy/old");
    let errors = |gateway: &Gateway| {
        let events = gateway.process.events();
        events.iter().filter(|event| event.level() == "error").count()
    };
    gateway.scratch().write("server.map", format!("{}nowhere\n", destination.map("new")));
    eventually("the bad line is named", || gateway.process.stderr().contains("server.map:2").then_some(()));
    thread::sleep(Duration::from_secs(3)); // it is not to be said again each second
    assert_eq!(errors(&gateway), 1, "{}", gateway.process.stderr());
    assert_eq!(status(&gateway, "old", "Bearer x"), 101);
    assert_eq!(status(&gateway, "new", "Bearer x"), 404, "not the good half of a bad file");
    gateway.scratch().write("server.map", "");
    gateway.process.signal(Signal::HUP);
    eventually("an empty file is refused", || (errors(&gateway) >= 2).then_some(()));
    fs::remove_file(gateway.scratch().file("server.map")).unwrap();
    gateway.process.signal(Signal::HUP);
    eventually("a missing file is refused", || (errors(&gateway) >= 3).then_some(()));
    assert_eq!(status(&gateway, "old", "Bearer x"), 101);
    echoes(&mut open);
    gateway.scratch().write("server.map", destination.map("mended"));
    becomes(&gateway, "mended", 101);
}

#[test]
fn config_is_reloaded_and_rules_decide_only_about_new_tunnels() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let config = |allowed: &str, more: &str| {
        format!(
            "public_key = [{:?}]\n{more}\n[[destination]]\nname = \"db\"\nupstream = \"{}\"\nallow = [{allowed:?}]\n",
            issuer.public(),
            destination.address
        )
    };
    let mut gateway = Gateway::configured(&config("alice", ""), &[]);
    let [alice, bob] = ["alice", "bob"].map(|name| issuer.bearer(name));
    let request = Request::upgrade("/proxy/db").with("Authorization", &alice);
    let mut open = WebSocket::try_open(gateway.address, &request).unwrap();
    assert_eq!(status(&gateway, "db", &bob), 403);
    gateway.scratch().write("gateway.toml", config("bob", ""));
    gateway.process.signal(Signal::HUP);
    eventually("bob may", || (status(&gateway, "db", &bob) == 101).then_some(()));
    assert_eq!(status(&gateway, "db", &alice), 403);
    echoes(&mut open);
    gateway.scratch().write("gateway.toml", config("alice", "no_such_key = 1"));
    gateway.process.signal(Signal::HUP);
    eventually("the bad line is named", || gateway.process.stderr().contains("gateway.toml:2").then_some(()));
    assert_eq!((status(&gateway, "db", &bob), status(&gateway, "db", &alice)), (101, 403));
    gateway.scratch().write("gateway.toml", config("alice", ""));
    eventually("a change is found", || (status(&gateway, "db", &alice) == 101).then_some(()));
    echoes(&mut open);
}

#[test]
fn public_key_is_reloaded_and_a_bad_one_keeps_the_old() {
    let destination = Destination::echo();
    let [old, new] = ["old", "new"].map(Issuer::es256);
    let scratch = Scratch::new();
    let key = scratch.write("key.pub", fs::read(old.public()).unwrap());
    let mut gateway = Gateway::start(&destination.map("db"), &["--public-key", &key]);
    let request = Request::upgrade("/proxy/db").with("Authorization", &old.bearer("alice"));
    let mut open = WebSocket::try_open(gateway.address, &request).unwrap();
    scratch.write("key.pub", "garbage");
    gateway.process.signal(Signal::HUP);
    eventually("garbage is complained about", || {
        let events = gateway.process.events();
        events.iter().any(|event| event.level() == "error").then_some(())
    });
    assert_eq!(status(&gateway, "db", &old.bearer("alice")), 101, "a bad file keeps the old");
    scratch.write("key.pub", fs::read(new.public()).unwrap());
    eventually("the new key counts", || (status(&gateway, "db", &new.bearer("alice")) == 101).then_some(()));
    assert_eq!(status(&gateway, "db", &old.bearer("alice")), 401);
    echoes(&mut open);
}
