//! What containers say about themselves, and several apps in one process.

use std::net::SocketAddr;

use e2e::docker::{Container, IMAGE_PORT, docker, unique_label};
use e2e::eventually::eventually;
use e2e::load::{Load, visit};
use e2e::motarei::Motarei;
use e2e::port;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn motarei_port_says_where_the_application_listens() {
    let (label, port) = (unique_label(), port::free());
    let proxy = Motarei::with_flags(&["--label", &label, "--bind", "127.0.0.1"]);
    let flags = ["--label", &format!("motarei.port={port}")];
    let container = Container::with_flags(&label, &flags, &[&format!("PORT={port}")]);
    proxy.routes_to(&container.id);
    assert_eq!(proxy.address(), loopback(port), "the same number, and not the port of EXPOSE");
    assert_eq!(visit(loopback(port)).as_deref(), Ok("1"));
}

#[test]
fn motarei_listen_says_where_to_listen() {
    let (label, port) = (unique_label(), port::free());
    let proxy = Motarei::with_flags(&["--label", &label, "--bind", "127.0.0.1"]);
    let flags = ["--label", &format!("motarei.listen=127.0.0.1:{port}={IMAGE_PORT}")];
    let container = Container::with_flags(&label, &flags, &[]);
    proxy.routes_to(&container.id);
    assert_eq!(proxy.address(), loopback(port));
    assert_eq!(visit(loopback(port)).as_deref(), Ok("1"));
}

#[test]
fn motarei_probe_says_when_it_is_ready() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let old = Container::start(&label, &["GENERATION=old"]);
    proxy.routes_to(&old.id);
    let load = Load::on(proxy.address());
    let flags = ["--label", "motarei.probe=http:/up"];
    let new = Container::with_flags(&label, &flags, &["GENERATION=new", "UP_AFTER=3600"]);
    let why = proxy.shows("it answers, and is not up", |status| {
        status.reason(&new.id).filter(|reason| reason.contains("404")).map(str::to_owned)
    });
    assert_eq!((why.contains("status 404"), load.answers("new")), (true, 0), "{why}");
    docker().run(&["exec", &new.id, "sh", "-c", "echo up >/www/up"]);
    proxy.routes_to(&new.id);
    eventually("the new one serves", || (load.answers("new") >= 50).then_some(()));
    assert_eq!(load.stop().failures(), Vec::<String>::new());
}

#[test]
fn a_healthcheck_that_fails_demotes_the_newest() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let old = Container::start(&label, &[]);
    proxy.routes_to(&old.id);
    let health = ["--health-cmd", "test ! -e /ill", "--health-interval", "1s", "--health-retries", "1"];
    let new = Container::with_flags(&label, &health, &[]);
    proxy.routes_to(&new.id);
    docker().run(&["exec", &new.id, "mkdir", "/ill"]);
    proxy.is(&new.id, "unhealthy");
    proxy.routes_to(&old.id);
}

#[test]
fn a_label_that_cannot_be_read_is_warned_about() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let container = Container::with_flags(&label, &["--label", "motarei.probe=often"], &[]);
    proxy.routes_to(&container.id);
    eventually("it is said which", || {
        let stderr = proxy.process.stderr();
        let warned = |line: &str| line.contains(r#""level":"warn""#) && line.contains("motarei.probe: ");
        stderr.lines().any(warned).then_some(())
    });
}

#[test]
fn config_has_several_apps() {
    let (one, two, scratch) = (unique_label(), unique_label(), e2e::scratch::Scratch::new());
    let ports = [port::free(), port::free()];
    let app = |name: &str, label: &str, port: u16| {
        format!(
            "[[app]]\nname = '{name}'\nlabels = ['{label}']\nlisten = ['127.0.0.1:{port}={IMAGE_PORT}']\n"
        )
    };
    let config = app("one", &one, ports[0]) + &app("two", &two, ports[1]);
    let proxy = Motarei::with_flags(&["--config", &scratch.write("motarei.toml", config)]);
    let _first = Container::start(&one, &["GENERATION=one"]);
    // A label cannot take the other app's port.
    let greedy = ["--label", &format!("motarei.listen=127.0.0.1:{}={IMAGE_PORT}", ports[0])];
    let second = Container::with_flags(&two, &greedy, &["GENERATION=two"]);
    proxy.is(&second.id, "ready");
    for (port, answer) in [(ports[0], "one"), (ports[1], "two"), (ports[0], "one")] {
        assert_eq!(visit(loopback(port)).as_deref(), Ok(answer));
    }
    let names = proxy.status().unwrap();
    let names: Vec<_> = names.0["apps"].as_array().unwrap().iter().map(|app| app["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
}
