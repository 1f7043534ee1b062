//! Tunnels that outlive their WebSockets: both programs, and a network between them that fails.

mod balanced;
mod detached;
mod dialects;
mod elsewhere;
mod ended;
mod half_close;
mod integrity;
mod sessions;
mod silence;
mod stopping;

use std::net::SocketAddr;

use e2e::audit;
use e2e::cutter::Cutter;
use e2e::eventually::eventually;
use e2e::programs::{Client, Gateway};
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;
use serde_json::Value;

/// How long a gateway keeps a session without a WebSocket, and a client tries.
const GRACE: &str = "--resume-grace";

/// A gateway with a destination `db`, a cutter in front of it, a client of that; and what they say of themselves.
struct Path {
    client: Client,
    client_status: StatusSocket,
    cutter: Cutter,
    gateway: Gateway,
    status: StatusSocket,
    audit: String,
    _dir: Scratch,
}

impl Path {
    fn to(destination: SocketAddr) -> Path {
        Path::with_flags(destination, &[], &[])
    }

    fn with_flags(destination: SocketAddr, server: &[&str], client: &[&str]) -> Path {
        let dir = Scratch::new();
        let audit = dir.file("audit.log");
        let [status, client_status] =
            ["server", "client"].map(|name| StatusSocket::at(format!("unix:{}", dir.file(name))));
        let flags = [&["--audit-log", &audit, "--status-listen", &status.address], server].concat();
        let gateway = Gateway::start(&format!("db,{destination}\n"), &flags);
        let cutter = Cutter::to(gateway.address);
        let flags = [&["--status-listen", &client_status.address], client].concat();
        let client = Client::start(&cutter.url("db"), &flags);
        for status in [&status, &client_status] {
            eventually("the status is answered", || status.try_get("/live"));
        }
        Path { client, client_status, cutter, gateway, status, audit, _dir: dir }
    }

    /// A metric of the gateway, without its prefix.
    fn metric(&self, name: &str) -> f64 {
        self.status.metric(&format!("wsgate_server_{name}"))
    }

    /// A metric of the client, without its prefix.
    fn client_metric(&self, name: &str) -> f64 {
        self.client_status.metric(&format!("wsgate_client_{name}"))
    }

    /// Waits until a metric of the gateway has this value.
    fn shows(&self, name: &str, expected: f64) {
        eventually(&format!("{name} is {expected}"), || is(self.metric(name), expected));
    }

    /// Waits until the gateway has written so many lines of this event, and returns the last.
    fn audited(&self, event: &str, count: usize) -> Value {
        audit::events(&self.audit, event, count).swap_remove(count - 1)
    }

    /// Cuts the one tunnel that there is, and waits until it goes on.
    fn cut_and_wait(&self, how: e2e::cutter::How) {
        let before = self.client_metric("resumed_total");
        assert_eq!(self.cutter.cut(how), 1, "there is one WebSocket");
        eventually("the tunnel goes on", || (self.client_metric("resumed_total") > before).then_some(()));
    }
}

fn is(value: f64, expected: f64) -> Option<()> {
    ((value - expected).abs() < 1e-9).then_some(())
}
