//! The client behind an office's HTTP proxy.

use std::process::Command;

use e2e::certificate::Authority;
use e2e::destination::Destination;
use e2e::forward_proxy::ForwardProxy;
use e2e::programs::{Client, Gateway, program};

use super::client_flags::{echo_through, fails};

/// `user:pass word`, as a URL has it and as the header has it.
const URL_PASSWORD: &str = "user:pass%20word";
const BASIC: &str = "Basic dXNlcjpwYXNzIHdvcmQ=";

/// A client with an environment of its own.
fn client(environment: &[(&str, &str)], url: &str, flags: &[&str]) -> Client {
    let mut command = Command::new(program("wsgate-client"));
    for name in
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"]
    {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let flags = [&["--connect-timeout", "3s"], flags].concat();
    Client::from_command(command, &format!("127.0.0.1:0,{url}\n"), &flags)
}

/// A gateway with TLS that only a proxy can find: `gateway.test` is no name that anybody resolves.
fn tls_gateway(destination: &Destination, authority: &Authority) -> Gateway {
    let flags = ["--tls-cert", &authority.certificate(), "--tls-key", &authority.key()];
    Gateway::start(&destination.map("db"), &flags)
}

const URL: &str = "https://gateway.test/proxy/db";

#[test]
fn proxy_flag_leads_through_connect_with_basic_authentication() {
    let (destination, authority) = (Destination::echo(), Authority::new());
    let gateway = tls_gateway(&destination, &authority);
    let proxy = ForwardProxy::to(gateway.address, Some(BASIC));
    let tls = ["--ca", &authority.ca(), "--tls-server-name", "localhost"];
    let to_proxy = format!("http://{URL_PASSWORD}@{}", proxy.address());
    let ours = client(&[], URL, &[&tls[..], &["--proxy", &to_proxy]].concat());
    echo_through(&ours);
    assert_eq!(proxy.asked(), ["CONNECT gateway.test:443 HTTP/1.1"]);
    let stderr = ours.process.stderr();
    assert!(stderr.contains(&proxy.address().to_string()), "log lines name the proxy: {stderr}");
    assert!(!stderr.contains("pass%20word") && !stderr.contains("pass word"), "not its password: {stderr}");
}

#[test]
fn proxy_flag_counts_for_plain_urls_and_never_for_loopback() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let proxy = ForwardProxy::to(gateway.address, None);
    let to_proxy = format!("http://{}", proxy.address());
    echo_through(&client(&[], "http://gateway.test/proxy/db", &["--proxy", &to_proxy]));
    assert_eq!(proxy.asked(), ["CONNECT gateway.test:80 HTTP/1.1"]);
    echo_through(&client(&[], &gateway.url("db"), &["--proxy", &to_proxy]));
    assert_eq!(proxy.asked().len(), 1, "behind a proxy, loopback is another machine's");
}

#[test]
fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    let proxy = ForwardProxy::to(e2e::destination::refusing(), Some(BASIC));
    let url = format!("http://user:sesame@{}", proxy.address());
    let ours = client(&[], URL, &["--proxy", &url]);
    fails(&ours, "user name and password");
    let stderr = ours.process.stderr();
    assert!(stderr.contains(&proxy.address().to_string()), "{stderr}");
    assert!(!stderr.contains("sesame"), "{stderr}");
}

#[test]
fn proxy_environment_counts_for_https_and_no_proxy_takes_it_back() {
    let (destination, authority) = (Destination::echo(), Authority::new());
    let gateway = tls_gateway(&destination, &authority);
    let proxy = ForwardProxy::to(gateway.address, None);
    let url = format!("http://{}", proxy.address());
    let tls = ["--ca", &authority.ca(), "--tls-server-name", "localhost"];
    for name in ["HTTPS_PROXY", "https_proxy"] {
        echo_through(&client(&[(name, &url)], URL, &tls));
    }
    let used = proxy.asked().len();
    assert_eq!(used, 2);
    for (environment, flags) in [
        (&[("HTTPS_PROXY", url.as_str()), ("NO_PROXY", "gateway.test")][..], &[][..]),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "other.test, .test")], &[]),
        (&[("HTTPS_PROXY", &url), ("NO_PROXY", "*")], &[]),
        (&[("HTTPS_PROXY", &url)], &["--proxy", "none"]),
    ] {
        fails(&client(environment, URL, &[&tls[..], flags].concat()), "gateway.test");
    }
    // Never for loopback or private addresses, whatever the environment says.
    echo_through(&client(&[("HTTPS_PROXY", &url)], &gateway.https("db"), &tls));
    assert_eq!(proxy.asked().len(), used);
}

#[test]
fn proxy_environment_does_not_count_for_plain_urls() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let proxy = ForwardProxy::to(gateway.address, None);
    let url = format!("http://{}", proxy.address());
    echo_through(&client(&[("HTTPS_PROXY", &url), ("ALL_PROXY", &url)], &gateway.url("db"), &[]));
    assert_eq!(proxy.asked().len(), 0);
}
