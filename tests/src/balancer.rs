//! Balancers in between, as they run in front of a gateway in production: nginx and haproxy.

use std::net::SocketAddr;
use std::process::Command;

use crate::certificate::Authority;
use crate::nginx::{LISTEN, Nginx, accepts};
use crate::port;
use crate::process::Process;
use crate::programs::needed;
use crate::scratch::Scratch;

/// A running balancer in front of one gateway.
#[derive(Debug)]
pub struct Balancer {
    /// Where it takes plain HTTP.
    pub address: SocketAddr,
    /// Where it takes TLS, as `https://host:port`.
    pub https: Option<String>,
    _process: Process,
    _scratch: Scratch,
}

impl Balancer {
    /// nginx with a plain listener and one with TLS.
    pub fn nginx(gateway: SocketAddr, authority: &Authority) -> Balancer {
        let tls = port::free();
        let (certificate, key) = (authority.certificate(), authority.key());
        let Nginx { address, process, scratch } = Nginx::start(&format!(
            "    server {{
        listen {LISTEN};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://{gateway};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection \"upgrade\";
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}"
        ));
        let https = Some(format!("https://localhost:{tls}"));
        Balancer { address, https, _process: process, _scratch: scratch }
    }

    /// haproxy with a plain listener.
    pub fn haproxy(gateway: SocketAddr) -> Balancer {
        Balancer::haproxy_with(gateway, "", "1h")
    }

    /// haproxy that cuts a WebSocket on which nothing has moved for so long.
    pub fn haproxy_cutting(gateway: SocketAddr, after: &str) -> Balancer {
        Balancer::haproxy_with(gateway, "", after)
    }

    /// haproxy that says by PROXY protocol, version 2, and by X-Forwarded-For who is behind it.
    pub fn haproxy_telling_who(gateway: SocketAddr) -> Balancer {
        Balancer::haproxy_with(gateway, "send-proxy-v2", "1h")
    }

    fn haproxy_with(gateway: SocketAddr, word: &str, tunnel: &str) -> Balancer {
        let scratch = Scratch::new();
        let plain = port::free();
        let config = format!(
            "global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel {tunnel}
frontend in
    bind 127.0.0.1:{plain}
    default_backend gateways
backend gateways
    option forwardfor
    server gateway {gateway} {word}
"
        );
        let file = scratch.write("haproxy.cfg", config);
        let mut command = Command::new(needed("haproxy", "haproxy"));
        command.args(["-db", "-f", &file]);
        let mut process = Process::spawn("haproxy", &mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], plain));
        accepts(&mut process, address);
        Balancer { address, https: None, _process: process, _scratch: scratch }
    }

    /// The plain URL of a destination behind it.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/proxy/{name}", self.address)
    }
}
