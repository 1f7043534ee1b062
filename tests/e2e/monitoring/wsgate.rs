//! Both ends of the gateway: tunnels, refusals, bytes, times.

mod health;
mod refused;
mod sessions;
mod socket;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::{eventually, within};
use e2e::http::{Request, get};
use e2e::pattern;
use e2e::programs::{Client, Gateway, half_close};
use e2e::scratch::Scratch;
use e2e::status::{StatusSocket, documented, drawn, printed};

const SERVER: &str = "wsgate-server";
const CLIENT: &str = "wsgate-client";

/// A gateway that tells on a unix socket how it is.
struct Watched {
    gateway: Gateway,
    status: StatusSocket,
    dir: Scratch,
}

impl Watched {
    fn gateway(map: &str, flags: &[&str]) -> Watched {
        let dir = Scratch::new();
        let status = StatusSocket::at(format!("unix:{}", dir.file("server.sock")));
        let flags = [&["--status-listen", &status.address], flags].concat();
        let gateway = Gateway::start(map, &flags);
        eventually("the status is answered", || status.try_get("/live"));
        Watched { gateway, status, dir }
    }

    /// A client of its destination `db`, and where it tells how it is.
    fn client(&self, flags: &[&str]) -> (Client, StatusSocket) {
        let status = StatusSocket::at(format!("unix:{}", self.dir.file("client.sock")));
        let flags = [&["--status-listen", &status.address], flags].concat();
        let client = Client::start(&self.gateway.url("db"), &flags);
        eventually("the status is answered", || status.try_get("/live"));
        (client, status)
    }
}

/// Waits until a metric has this value.
fn shows(status: &StatusSocket, series: &str, expected: f64) {
    let is_so = || ((status.metric(series) - expected).abs() < 1e-9).then_some(());
    eventually(&format!("{series} is {expected}"), is_so);
}

fn to(destination: SocketAddr) -> String {
    format!("db,{destination}\n")
}

#[test]
fn a_hundred_megabytes_each_way_show_as_such_while_and_after_they_are_carried() {
    const TOTAL: usize = 100_000_000;
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let (client, status) = server.client(&[]);
    let application = client.connect();
    let writer = application.try_clone().unwrap();
    let writing = thread::spawn(move || pattern::write(writer, 7, TOTAL));
    pattern::read(&application, 7, TOTAL);
    writing.join().unwrap();
    let ends = [(&server.status, "wsgate_server"), (&status, "wsgate_client")];
    for (status, prefix) in ends {
        // The tunnel is open still: bytes are counted as they go.
        shows(status, &format!("{prefix}_up_bytes_total"), 1e8);
        shows(status, &format!("{prefix}_down_bytes_total"), 1e8);
        shows(status, &format!("{prefix}_sessions"), 1.0);
        shows(status, &format!("{prefix}_sessions_opened_total"), 1.0);
        shows(status, &format!("{prefix}_setup_seconds_count"), 1.0);
        let setup = status.metric(&format!("{prefix}_setup_seconds_sum"));
        assert!(setup > 0.0 && setup < 30.0, "{setup}");
    }
    half_close(&application);
    drop(application);
    for (status, prefix) in ends {
        shows(status, &format!("{prefix}_sessions"), 0.0);
        shows(status, &format!("{prefix}_sessions_closed_total{{why=\"eof\"}}"), 1.0);
        shows(status, &format!("{prefix}_up_bytes_total"), 1e8);
    }
}

#[test]
fn the_plugins_print_rates_and_round_trips_after_half_a_minute_of_which_25_seconds_are_idle() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let (client, status) = server.client(&[]);
    // Whichever end pings first is the one that measures, so there are enough for both.
    let idle: Vec<_> = (0..60).map(|_| client.connect()).collect();
    shows(&server.status, "wsgate_server_sessions", 60.0);
    let first = printed(&server.status.plugin(SERVER, &[]));
    assert!((first["server.sessions.open"] - 60.0).abs() < 1e-9, "{first:?}");
    assert!(!first.contains_key("server.rate.opened"), "no rate is better than a wrong one");
    for (name, instance, status) in [(SERVER, "server", &server.status), (CLIENT, "client", &status)] {
        let of = |part: &str| format!("{instance}.{part}");
        let rated = within(Duration::from_secs(90), "there are rates", || {
            assert_eq!(Request::upgrade("/proxy/none").ask(server.gateway.address).status, 404);
            let values = printed(&status.plugin(name, &["--all"]));
            values.contains_key(&of("rate.opened")).then_some(values)
        });
        // Callers that came before the first tick, a second at most, are in no rate.
        assert!(rated[&of("rate.opened")] <= 60.0 / 29.0, "{rated:?}");
        assert!(rated[&of("setup.p99")] > 0.0 && rated[&of("setup.p99")] < 30_000.0, "{rated:?}");
        let all: BTreeSet<String> = drawn(&status.graphs(name, &["--all"])).into_iter().collect();
        assert!(rated.keys().all(|name| all.contains(name)), "{rated:?}");
    }
    let refused = printed(&server.status.plugin(SERVER, &["--all"]));
    assert!(refused["server.rate.refused"] > 0.5, "{refused:?}");
    assert!((refused["server.rate.refused"] - refused["server.refused.unknown-destination"]).abs() < 5.0);
    let measured = |status: &StatusSocket, prefix: &str| {
        let of = |part: &str| status.metric(&format!("{prefix}_round_trip_seconds_{part}"));
        (of("count"), of("sum"))
    };
    let (count, sum) = within(Duration::from_secs(30), "each tunnel has been pinged", || {
        let (server, client) =
            (measured(&server.status, "wsgate_server"), measured(&status, "wsgate_client"));
        (server.0 + client.0 >= 60.0).then_some((server.0 + client.0, server.1 + client.1))
    });
    assert!(sum > 0.0 && sum / count < 1.0, "{count} pings took {sum} s");
    drop(idle);
}

#[test]
fn every_metric_is_documented_and_there_is_no_other() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let (_client, status) = server.client(&[]);
    for (name, prefix, status) in
        [(SERVER, "wsgate_server_", &server.status), (CLIENT, "wsgate_client_", &status)]
    {
        let text = documented(name);
        let row = |line: &str| Some(line.strip_prefix("| `")?.split(['`', '{']).next()?.to_owned());
        let documented: BTreeSet<String> =
            text.lines().filter_map(row).filter(|name| name.starts_with(prefix)).collect();
        let metrics = status.metrics();
        let told = metrics.keys().map(|series| family(series).to_owned());
        // What has no value has no sample: there is no certificate here.
        let valueless = [format!("{prefix}certificate_left_seconds")];
        let own: BTreeSet<String> = told.chain(valueless).filter(|name| name.starts_with(prefix)).collect();
        assert_eq!(own, documented);
        for line in drawn(&status.graphs(name, &["--all"])) {
            let line = line.split_once('.').unwrap().1;
            let graph = line.split('.').next().unwrap();
            assert!(text.contains(&format!("`{line}`")) || text.contains(&format!("`{graph}.*`")), "{line}");
        }
    }
}

/// Without the labels and what a histogram's samples are called.
fn family(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or(series);
    let mut parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    parts.next_back().unwrap_or(name)
}

#[test]
fn the_graphs_are_the_same_while_a_daemon_is_down() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let (client, client_status) = server.client(&[]);
    let sockets = [(SERVER, server.status.clone()), (CLIENT, client_status)];
    let up = sockets.each_ref().map(|(name, status)| status.graphs(name, &[]));
    drop((server, client));
    for ((name, nobody), up) in sockets.iter().zip(&up) {
        assert_eq!(nobody.graphs(name, &[]), *up);
        let lines = drawn(up);
        assert_eq!(lines.len(), 8 + 3, "8 of its own, 3 of every process: {lines:?}");
        let output = nobody.plugin(name, &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "no values");
    }
}

#[test]
fn nothing_of_it_is_answered_where_callers_come() {
    let server = Watched::gateway("", &[]);
    for path in ["/metrics", "/mackerel", "/status"] {
        assert_eq!(get(server.gateway.address, path).status, 404, "{path}");
        assert_eq!(server.status.get(path).0, 200, "{path}");
    }
}
