//! deteco's own: decisions, keys, JWK sets.

mod judged;
mod socket;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use e2e::deteco::{Deteco, question, service};
use e2e::eventually::{eventually, within};
use e2e::http::{Conversation, get};
use e2e::issuer::{Issuer, claims};
use e2e::programs::connect;
use e2e::scratch::Scratch;
use e2e::status::{StatusSocket, documented, drawn, printed};
use serde_json::json;

const NAME: &str = "deteco";

/// A deteco that tells on a unix socket how it is.
struct Watched {
    deteco: Deteco,
    status: StatusSocket,
    _dir: Scratch,
}

impl Watched {
    fn start(conf: &str) -> Watched {
        let dir = Scratch::new();
        let status = StatusSocket::at(format!("unix:{}", dir.file("deteco.sock")));
        let deteco = Deteco::start(conf, &["--status-listen", &status.address]);
        eventually("the status is answered", || status.try_get("/live"));
        Watched { deteco, status, _dir: dir }
    }

    /// Waits until a metric has this value.
    fn shows(&self, series: &str, expected: f64) {
        let now = || self.status.metric(series);
        eventually(&format!("{series} is {expected}"), || is(now(), expected).then_some(()));
    }
}

fn is(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-9
}

/// Without the labels and what a histogram's samples are called.
fn family(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or(series);
    let mut parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    parts.next().unwrap_or(name)
}

#[test]
fn decisions_are_counted_by_status_and_reason() {
    let (issuer, other) = (Issuer::es256("a"), Issuer::es256("a"));
    let watched = Watched::start(&service("alice", &issuer, &["/path1"]));
    let alice = issuer.bearer("alice");
    let old = claims("alice", json!({"iat": 1_600_000_000, "exp": 1_600_000_060}));
    let expired = format!("Bearer {}", issuer.token(&old));
    let rows: [(&str, &str, u16, usize); 7] = [
        ("/path1", &alice, 200, 10),
        ("/path2", &alice, 403, 3),
        ("/path1/../x", &alice, 403, 1),
        ("/path1", "", 401, 2),
        ("/path1", "Bearer a.b", 401, 1),
        ("/path1", &expired, 401, 1),
        ("/path1", &other.bearer("alice"), 401, 1),
    ];
    for (uri, authorization, status, times) in rows {
        for _ in 0..times {
            assert_eq!(watched.deteco.ask(uri, authorization).status, status, "{uri} {authorization}");
        }
    }
    for (series, expected) in [
        ("deteco_decisions_total{status=\"200\"}", 10.0),
        ("deteco_decisions_total{status=\"401\"}", 5.0),
        ("deteco_decisions_total{status=\"403\"}", 4.0),
        ("deteco_forbidden_total{reason=\"path\"}", 3.0),
        ("deteco_forbidden_total{reason=\"uri_not_canonical\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"no_authorization\"}", 2.0),
        ("deteco_unauthorized_total{reason=\"malformed\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"expired\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"signature\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"other\"}", 0.0),
        ("deteco_decision_seconds_count", 19.0),
        ("deteco_cache_hits_total", 13.0),
        ("deteco_cache_misses_total", 4.0),
        ("deteco_cached_tokens", 1.0),
        ("deteco_services", 1.0),
        ("deteco_keys", 1.0),
        ("deteco_config_reload_ok", 1.0),
    ] {
        let value = watched.status.metric(series);
        assert!(is(value, expected), "{series} is {value} and not {expected}");
    }
    let took = watched.status.metric("deteco_decision_seconds_sum");
    assert!(took > 0.0 && took < 19.0, "{took}");
}

#[test]
fn connections_are_counted_and_what_came_on_them_that_is_no_question() {
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    let address = watched.deteco.address;
    let open: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
    watched.shows("deteco_connections", 200.0);
    let took = watched.status.metric("deteco_collection_seconds");
    assert!(took < 0.1, "a collection takes {took} s");
    drop(open);
    watched.shows("deteco_connections", 0.0);
    (&connect(address)).write_all(b"NOT HTTP\r\n\r\n").unwrap();
    watched.shows("deteco_requests_unparsed_total", 1.0);
    let request = question("/path1", "").line("GET /elsewhere HTTP/1.1");
    assert_eq!(request.ask(address).status, 404);
    watched.shows("deteco_requests_elsewhere_total", 1.0);
    watched.shows("deteco_connections_accepted_total", 202.0);
}

#[test]
fn nothing_of_it_is_answered_where_nginx_asks() {
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    for path in ["/metrics", "/mackerel", "/status"] {
        assert_eq!(get(watched.deteco.address, path).status, 404, "{path}");
        assert_eq!(watched.status.get(path).0, 200, "{path}");
    }
}

#[test]
fn every_metric_is_documented_and_there_is_no_other() {
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    let text = documented(NAME);
    let row = |line: &str| Some(line.strip_prefix("| `deteco_")?.split(['`', '{']).next()?.to_owned());
    let documented: BTreeSet<String> =
        text.lines().filter_map(row).map(|name| format!("deteco_{name}")).collect();
    // Nothing that has no value yet has a sample.
    let valueless = ["deteco_first_key_end_seconds", "deteco_jwks_age_seconds"].map(str::to_owned);
    let metrics = watched.status.metrics();
    let told: BTreeSet<String> =
        metrics.keys().map(|series| family(series).to_owned()).chain(valueless).collect();
    let own: BTreeSet<String> = told.into_iter().filter(|name| name.starts_with("deteco_")).collect();
    assert_eq!(own, documented);
    let names = drawn(&watched.status.graphs(NAME, &["--all"]));
    for name in names.iter().filter_map(|name| name.strip_prefix("deteco.")) {
        let graph = name.split('.').next().unwrap();
        assert!(text.contains(&format!("`{name}`")) || text.contains(&format!("`{graph}.*`")), "{name}");
    }
}

#[test]
fn the_plugin_prints_rates_once_it_has_watched_for_half_a_minute() {
    let issuer = Issuer::es256("a");
    let watched = Watched::start(&service("alice", &issuer, &["/path1"]));
    let (alice, mut nginx) = (issuer.bearer("alice"), Conversation::with(watched.deteco.address));
    let first = printed(&watched.status.plugin(NAME, &[]));
    assert!(is(first["deteco.keys.loaded"], 1.0) && is(first["deteco.config.reload_ok"], 1.0), "{first:?}");
    assert!(!first.contains_key("deteco.decisions.ok"), "no rate is better than a wrong one");
    let rated = within(Duration::from_secs(60), "there are rates", || {
        for _ in 0..5 {
            assert_eq!(nginx.ask(&question("/path1", &alice)).status, 200);
        }
        assert_eq!(nginx.ask(&question("/path2", &alice)).status, 403);
        let values = printed(&watched.status.plugin(NAME, &["--all"]));
        values.contains_key("deteco.decisions.ok").then_some(values)
    });
    let (ok, forbidden) = (rated["deteco.decisions.ok"], rated["deteco.decisions.403"]);
    assert!(ok > 1.0 && (ok / forbidden - 5.0).abs() < 0.5, "{ok} and {forbidden} a second");
    assert!(is(rated["deteco.decisions.401"], 0.0));
    assert!(is(rated["deteco.forbidden.path"], forbidden), "{rated:?}");
    let (half, most) = (rated["deteco.decision_us.p50"], rated["deteco.decision_us.p99"]);
    assert!(half > 0.1 && half <= most && most < 100_000.0, "{half} and {most} microseconds");
    assert!(rated["deteco.cache.hits"] > 90.0, "{rated:?}");
    let all: BTreeSet<String> = drawn(&watched.status.graphs(NAME, &["--all"])).into_iter().collect();
    assert!(rated.keys().all(|name| all.contains(name)), "{rated:?}");
}

#[test]
fn the_graphs_are_the_same_while_it_is_down() {
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    let up = watched.status.graphs(NAME, &[]);
    let nobody = StatusSocket::at(watched.status.address.clone());
    drop(watched);
    assert_eq!(nobody.graphs(NAME, &[]), up);
    let lines = drawn(&up);
    assert_eq!(lines.len(), 12, "9 of its own, 3 of every process: {lines:?}");
    let output = nobody.plugin(NAME, &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "no values");
}

/// The shortest of many collections, which no other process's turn is in.
fn collection(watched: &Watched) -> f64 {
    let one = |_| watched.status.metric("deteco_collection_seconds");
    (0..40).map(one).fold(f64::INFINITY, f64::min)
}

#[test]
fn ten_thousand_connections_do_not_change_what_a_collection_costs() {
    const OPEN: u32 = 10_000;
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    let (series, before) = (watched.status.metrics().len(), collection(&watched));
    let open: Vec<_> = (0..OPEN).map(|_| connect(watched.deteco.address)).collect();
    watched.shows("deteco_connections", f64::from(OPEN));
    let with_all = collection(&watched);
    assert!(with_all < 2.0 * before + 200e-6, "{before} s before, {with_all} s with {OPEN} connections");
    assert_eq!(watched.status.metrics().len(), series);
    drop(open);
}
