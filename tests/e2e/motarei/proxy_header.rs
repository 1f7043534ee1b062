//! The PROXY protocol tells containers who connects, and probes tell them nothing.

use std::io::{Read, Write};

use e2e::docker::{Container, unique_label};
use e2e::eventually::eventually;
use e2e::load::visit_on;
use e2e::motarei::Motarei;
use e2e::programs::connect;
use e2e::scratch::Scratch;

use crate::proxy_protocol::source;

#[test]
fn version_2_names_the_client() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--proxy-protocol", "v2"]);
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let mut client = connect(proxy.address());
    // What the container gets first is what comes back first.
    assert_eq!(source(&client), client.local_addr().unwrap());
    client.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello", "the payload follows");
}

#[test]
fn version_1_names_the_client() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--proxy-protocol", "v1"]);
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let mut client = connect(proxy.address());
    let (us, there) = (client.local_addr().unwrap(), proxy.address());
    let header = format!("PROXY TCP4 {} {} {} {}\r\n", us.ip(), there.ip(), us.port(), there.port());
    let mut got = vec![0; header.len()];
    client.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), header);
}

#[test]
fn nginx_in_a_container_believes_it_and_sees_no_broken_probe() {
    let nginx = e2e::programs::needed("nginx", "nginx-light").display().to_string();
    let (label, scratch) = (unique_label(), Scratch::new());
    scratch.write("nginx.conf", NGINX);
    let volume = format!("--volume={}:/conf:ro", scratch.path().display());
    let proxy = Motarei::start(&label, &["--proxy-protocol", "v2"]);
    let program = [nginx.as_str(), "-e", "stderr", "-p", "/tmp", "-c", "/conf/nginx.conf"];
    let container = Container::of_program(&label, &[&volume], &program);
    proxy.routes_to(&container.id);
    let client = connect(proxy.address());
    assert_eq!(visit_on(&client), Ok(client.local_addr().unwrap().to_string()));
    let logs = docker_logs(&container);
    assert!(logs.contains("visitor"), "the log is read: {logs}");
    assert!(!logs.contains("broken header"), "{logs}");
}

/// What the container wrote to both its outputs, when the visit is in it.
fn docker_logs(container: &Container) -> String {
    eventually("the visit is logged", || {
        let output = e2e::docker::docker().command().args(["logs", &container.id]).output().unwrap();
        let logs = e2e::motarei::said(&output);
        logs.contains("visitor").then_some(logs)
    })
}

const NGINX: &str = "daemon off; master_process off; user root root; pid /tmp/pid; error_log stderr info;
events { worker_connections 64; }
http {
    log_format visit 'visitor $proxy_protocol_addr';
    access_log /dev/stdout visit;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server {
        listen 8000 proxy_protocol;
        location / { return 200 $proxy_protocol_addr:$proxy_protocol_port; }
    }
}
";
