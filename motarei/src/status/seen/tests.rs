use super::*;
use crate::container::tests::container;
use crate::container::{Health, Network, Phase, Wishes};
use crate::event::{Event, What};
use crate::fleet::tests::app;
use crate::probe::Outcome;
use std::time::{Duration, UNIX_EPOCH};

/// Containers `a`, `b` … with these ports, the oldest first; those of `ready` are, as `(id, port)`.
fn seen(ports: &[(&str, &[u16])], ready: &[(&str, u16)]) -> App {
    let now = Instant::now();
    let mut fleet = Fleet::new(Arc::new(app()));
    let one = |(created, (id, ports)): (i64, &(&str, &[u16]))| crate::container::Container {
        ports: ports.iter().map(|port| (*port, vec![])).collect(),
        ..container(id, created)
    };
    fleet.list(&(0..).zip(ports).map(one).collect::<Vec<_>>(), now);
    for order in fleet.due(now) {
        let is_ready = ready.contains(&(order.of.id.as_str(), order.of.port));
        let outcome = if is_ready { Outcome::Ready } else { Outcome::Refused };
        fleet.probed(&order.of, &[(order.addresses[0], outcome)], now);
    }
    Seen::of(&fleet, Clock { instant: now, system: UNIX_EPOCH }).now()
}

#[test]
fn an_old_container_is_routed_until_the_newer_one_has_all_its_ports() {
    type Ports<'a> = &'a [(&'a str, &'a [u16])];
    type Ready<'a> = &'a [(&'a str, u16)];
    let table: [(&str, Ports<'_>, Ready<'_>, Option<&str>); 8] = [
        ("nobody", &[], &[], None),
        ("nobody is ready", &[("a", &[80])], &[], None),
        ("the old one", &[("a", &[80]), ("b", &[80])], &[("a", 80)], Some("a")),
        ("the new one", &[("a", &[80]), ("b", &[80])], &[("a", 80), ("b", 80)], Some("b")),
        (
            "one port of two",
            &[("a", &[80, 81]), ("b", &[80, 81])],
            &[("a", 80), ("a", 81), ("b", 80)],
            Some("a"),
        ),
        (
            "a port that nobody serves",
            &[("a", &[80, 443]), ("b", &[80, 443])],
            &[("a", 80), ("b", 80)],
            Some("b"),
        ),
        (
            "a port that was given up",
            &[("a", &[80, 81]), ("b", &[80])],
            &[("a", 80), ("a", 81), ("b", 80)],
            Some("b"),
        ),
        (
            "a port that is new",
            &[("a", &[80]), ("b", &[80, 81])],
            &[("a", 80), ("b", 80), ("b", 81)],
            Some("b"),
        ),
    ];
    for (name, ports, ready, expected) in table {
        assert_eq!(seen(ports, ready).routed.as_deref(), expected, "{name}");
    }
}

#[test]
fn a_container_is_shown_by_its_best_port() {
    let app = seen(&[("a", &[80, 443])], &[("a", 443)]);
    let container = &app.containers[0];
    assert_eq!((container.state.as_str(), &container.reason), ("ready", &None));
    assert_eq!(container.container_address.as_deref(), Some("172.17.0.2:443"));
    assert_eq!(container.ready_since.as_deref(), Some("1970-01-01T00:00:00.000Z"));
    assert_eq!(container.ports[0].reason.as_deref(), Some("172.17.0.2:80 refuses connections"));
    let none = seen(&[("a", &[])], &[]);
    assert!(none.containers[0].reason.as_ref().unwrap().starts_with("no TCP port of it is known"));
}

#[test]
fn every_state_has_its_reason() {
    type Change = fn(&mut crate::container::Container);
    let table: [(Change, Option<What>, &str, Option<&str>); 6] = [
        (|_| {}, None, "ready", None),
        (|_| {}, Some(What::Killed(15)), "terminating", Some("it was told to end")),
        (|_| {}, Some(What::Paused), "paused", Some("it is paused")),
        (|_| {}, Some(What::Health(Health::Unhealthy)), "unhealthy", Some("its HEALTHCHECK fails")),
        (|c| c.phase = Phase::Paused, None, "paused", Some("it is paused")),
        (
            |c| (c.network, c.ports) = (Network::Own(vec![]), [(80, vec![])].into()),
            None,
            "seen",
            Some("there is no"),
        ),
    ];
    for (change, what, state, reason) in table {
        let now = Instant::now();
        let mut fleet = Fleet::new(Arc::new(app()));
        let mut one = container("a", 1);
        one.wishes = Wishes { drain: Some(Duration::from_millis(1500)), ..Wishes::default() };
        change(&mut one);
        fleet.list(&[one], now);
        for order in fleet.due(now) {
            fleet.probed(&order.of, &[(order.addresses[0], Outcome::Ready)], now);
        }
        if let Some(what) = what {
            fleet.event(&Event { id: "a".to_owned(), what }, now);
        }
        let shown = Seen::of(&fleet, Clock { instant: now, system: UNIX_EPOCH }).now().containers.remove(0);
        assert_eq!(shown.state, state, "{shown:?}");
        assert_eq!(shown.reason.is_some(), reason.is_some(), "{shown:?}");
        assert!(shown.reason.unwrap_or_default().starts_with(reason.unwrap_or_default()));
        assert_eq!(shown.drain, Some(1.5));
    }
}
