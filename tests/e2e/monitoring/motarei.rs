//! motarei's own: deploys, held clients, bytes.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::{Container, IMAGE_PORT, unique_label};
use e2e::eventually::{eventually, within};
use e2e::load::visit;
use e2e::motarei::Motarei;
use e2e::pattern;
use e2e::process::Signal;
use e2e::programs::{connect, reset};
use e2e::scratch::Scratch;
use e2e::status::{StatusSocket, documented, drawn, printed};

const NAME: &str = "motarei";

/// A metric of an app, which is called as its label.
fn of_app(name: &str, label: &str) -> String {
    format!("{name}{{app=\"{label}\"}}")
}

/// Waits until a metric has this value.
fn shows(status: &StatusSocket, series: &str, expected: f64) {
    let mut last = None;
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(series, || {
            last = Some(status.metric(series));
            (last == Some(expected)).then_some(())
        });
    }));
    assert!(caught.is_ok(), "{series} is {last:?} and not {expected}");
}

#[test]
fn a_deploy_is_one() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let status = proxy.status_socket();
    let (deploys, ready) =
        (of_app("motarei_deploys_total", &label), of_app("motarei_containers_ready", &label));
    let plan = Plan::new(&label).with("BOOT=0.7");
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay: 0, wrapper: proxy.wrapper(&label, &[]) });
    let first = deploy.container();
    proxy.routes_to(&first);
    assert_eq!((status.metric(&deploys), status.metric(&ready)), (0.0, 1.0), "the first is none");
    let age = status.metric("motarei_newest_container_age_seconds");
    for _ in 0..5 {
        assert_eq!(visit(proxy.address()).as_deref(), Ok("1"));
    }
    deploy.hup(&plan);
    proxy.shows("the new one serves", |status| (status.routed()? != first).then_some(()));
    assert_eq!(visit(proxy.address()).as_deref(), Ok("2"));
    deploy.alone(2);
    shows(&status, &ready, 1.0);
    assert_eq!(status.metric(&deploys), 1.0);
    assert_eq!(printed(&status.plugin(NAME, &[]))["status.deploys.hour"], 1.0);
    assert_eq!(status.metric(&of_app("motarei_connections_opened_total", &label)), 6.0);
    assert_eq!(status.metric(&of_app("motarei_app_connections_failed_total", "other")), 0.0);
    let newer = status.metric("motarei_newest_container_age_seconds");
    assert!(newer < age + 60.0, "{newer} s after {age} s");
}

#[test]
fn who_is_held_is_shown_and_who_is_not_served_has_a_reason() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--hold", "5s", "--max-held", "1"]);
    let status = proxy.status_socket();
    let failed = |reason: &str| format!("motarei_connections_failed_total{{reason=\"{reason}\"}}");
    let held = of_app("motarei_clients_held", &label);
    let first = connect(proxy.address());
    shows(&status, &held, 1.0);
    assert_eq!(status.get("/ready"), (503, "no-container\n".to_owned()));
    assert_eq!(status.get("/live").0, 200);
    let (code, line) = status.health(NAME);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("CRITICAL: not ready: no-container") && line.contains(&label), "{line}");
    assert_eq!((&first).read(&mut [0]).unwrap(), 0);
    shows(&status, &failed("not-ready"), 1.0);
    shows(&status, &held, 0.0);

    let check = connect(proxy.address());
    shows(&status, &held, 1.0);
    reset(check);
    shows(&status, "motarei_clients_gone_total", 1.0);
    let (second, came) = (connect(proxy.address()), Instant::now());
    shows(&status, &held, 1.0);
    let third = connect(proxy.address());
    assert_eq!((&third).read(&mut [0]).unwrap(), 0);
    shows(&status, &failed("max-held"), 1.0);
    // Who stays for a second wanted something.
    thread::sleep(Duration::from_millis(1200).saturating_sub(came.elapsed()));
    reset(second);
    shows(&status, &failed("gave-up"), 1.0);
    shows(&status, &held, 0.0);
    assert_eq!(status.metric(&of_app("motarei_app_connections_failed_total", &label)), 3.0);

    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    assert_eq!(status.get("/ready"), (200, "ready\n".to_owned()));
    assert_eq!(status.health(NAME), (Some(0), "motarei OK: ready\n".to_owned()));
}

#[test]
fn bytes_are_counted_while_they_are_carried() {
    const TOTAL: usize = 100 << 20;
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let status = proxy.status_socket();
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let client = connect(proxy.address());
    thread::scope(|scope| {
        scope.spawn(|| pattern::write(&client, 1, TOTAL));
        pattern::read(&client, 1, TOTAL);
    });
    for name in ["motarei_received_bytes_total", "motarei_sent_bytes_total"] {
        shows(&status, &of_app(name, &label), f64::from(u32::try_from(TOTAL).unwrap()));
    }
    shows(&status, &of_app("motarei_connections", &label), 1.0);
    assert_eq!(status.metric("motarei_connections_closed_total{why=\"eof\"}"), 0.0, "it is still open");
    let early = printed(&status.plugin(NAME, &[]));
    assert!(!early.contains_key("status.bytes.up"), "no rate of less than 30 s: {early:?}");
    let rate = within(Duration::from_secs(60), "there is a rate", || {
        printed(&status.plugin(NAME, &[])).get("status.bytes.up").copied()
    });
    let mib = rate / f64::from(1 << 20);
    assert!((1.0..4.0).contains(&mib), "100 MiB in 30 to 60 s, and not {mib} MiB/s");
    drop(client);
    shows(&status, "motarei_connections_closed_total{why=\"eof\"}", 1.0);
}

#[test]
fn connections_do_not_make_a_collection_longer() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let status = proxy.status_socket();
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    let before: BTreeSet<_> = status.metrics().into_keys().collect();
    let open: Vec<_> = (0..200).map(|_| connect(proxy.address())).collect();
    shows(&status, &of_app("motarei_connections", &label), 200.0);
    assert_eq!(status.metrics().into_keys().collect::<BTreeSet<_>>(), before);
    // Not the first one on a busy machine; but what costs more for each connection never is so short.
    eventually("a collection is short", || (status.metric("motarei_collection_seconds") < 0.1).then_some(()));
    drop(open);
    shows(&status, &of_app("motarei_connections", &label), 0.0);
}

#[test]
fn every_metric_is_documented_and_every_line_is_drawn() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let status = proxy.status_socket();
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    let documented = documented(NAME);
    let (code, text) = status.get("/metrics");
    assert_eq!(code, 200);
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter(|kind| {
        // Those of the process are every program's.
        kind.starts_with("motarei_")
    });
    for kind in kinds {
        let (name, kind) = kind.split_once(' ').unwrap();
        let row = documented.lines().find(|row| row.starts_with(&format!("| `{name}` ")));
        assert!(row.is_some_and(|row| row.contains(kind)), "{name} ({kind}): {row:?}");
    }
    for flags in [&[][..], &["--all"]] {
        let lines = drawn(&status.graphs(NAME, flags));
        for name in printed(&status.plugin(NAME, flags)).into_keys() {
            let any = name.rsplit_once('.').map(|(graph, _)| format!("{graph}.*")).unwrap();
            assert!(lines.contains(&name) || lines.contains(&any), "{name} is in no graph of {lines:?}");
        }
    }
    let metadata = String::from_utf8(status.plugin(NAME, &["--metadata"]).stdout).unwrap();
    assert!(metadata.contains("\"configuration\":\"sha256:") && metadata.contains(&label), "{metadata}");
    assert_eq!(status.document()["limits"]["max_held"], 1000);
}

#[test]
fn without_a_daemon_there_are_graphs_and_a_check() {
    let scratch = Scratch::new();
    let nobody = StatusSocket::at(format!("unix:{}", scratch.file("web.sock")));
    let lines = drawn(&nobody.graphs(NAME, &[]));
    assert_eq!(lines.len(), 12, "{lines:?}");
    assert!(lines.contains(&"web.deploys.hour".to_owned()), "{lines:?}");
    let output = nobody.plugin(NAME, &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert_eq!(nobody.health(NAME).0, Some(2), "nobody listens");
    let _silent = UnixListener::bind(scratch.file("web.sock")).unwrap();
    let (code, line) = nobody.health(NAME);
    assert_eq!(code, Some(3), "{line}");
}

#[test]
fn a_listener_that_cannot_be_bound_is_a_warning() {
    let label = unique_label();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = format!("{}={IMAGE_PORT}", taken.local_addr().unwrap());
    let proxy = Motarei::start(&label, &["--listen", &bad]);
    let status = proxy.status_socket();
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    let (code, line) = status.health(NAME);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("WARNING: app") && line.contains("not listening on 127.0.0.1"), "{line}");
    assert_eq!(status.metric("motarei_listeners_failed"), 1.0);
    assert_eq!(status.get("/ready").0, 200, "it serves");
}

#[test]
fn while_it_drains_the_address_is_free_and_its_own_one_goes_on() {
    let label = unique_label();
    let mut proxy = Motarei::start(&label, &[]);
    let status = proxy.status_socket();
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let client: TcpStream = connect(proxy.address());
    shows(&status, &of_app("motarei_connections", &label), 1.0);
    let own = StatusSocket::at(format!("{}.{}", status.address, proxy.process.pid()));
    eventually("it answers at its own address too", || (own.try_get("/ready")?.0 == 200).then_some(()));
    proxy.process.signal(Signal::TERM);
    eventually("the address is free", || status.try_get("/live").is_none().then_some(()));
    assert_eq!(own.get("/ready"), (503, "draining\n".to_owned()));
    assert_eq!(own.metric(&of_app("motarei_connections", &label)), 1.0);
    let document = own.document();
    assert_eq!((document["draining"].as_bool(), document["connections"].as_u64()), (Some(true), Some(1)));
    drop(client);
    assert_eq!(proxy.process.wait(Duration::from_secs(10)).code(), Some(0));
    assert!(own.try_get("/live").is_none());
}
