//! Balancers that cut what is healthy: idle tunnels, and old ones.

use std::thread;
use std::time::{Duration, Instant};

use e2e::balancer::Balancer;
use e2e::cutter::Plan;
use e2e::eventually::within;
use e2e::mariadb::shared;
use e2e::programs::{Client, Gateway};

use super::integrity::Tunnel;
use super::is;
use super::sessions::mariadb;

#[test]
fn a_session_that_haproxy_cuts_whenever_it_is_idle_notices_nothing() {
    let gateway = Gateway::start(&format!("db,{}\n", shared().address), &[]);
    let haproxy = Balancer::haproxy_cutting(gateway.address, "2s");
    let client = Client::start(&haproxy.url("db"), &[]);
    let mut talk = mariadb(client.address);
    assert_eq!(talk.ask("SET @mine = 7; SELECT 'set';"), "set");
    let mut longest = Duration::ZERO;
    for number in 0..12 {
        thread::sleep(Duration::from_secs(5)); // idle for longer than haproxy bears
        let asked = Instant::now();
        assert_eq!(talk.ask(&format!("SELECT @mine + {number};")), (7 + number).to_string());
        longest = longest.max(asked.elapsed());
    }
    talk.end();
    let resumes = gateway.process.events_of("tunnel resumed").len();
    assert!(resumes >= 12, "{resumes}");
    assert!(longest < Duration::from_secs(5), "the tunnel is there when it is needed: {longest:?}");
}

#[test]
fn a_client_learns_at_which_age_it_is_cut_and_is_ahead_of_it() {
    const AGE: Duration = Duration::from_secs(11);
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    path.cutter.follow(Plan { age: Some(AGE), ..Plan::default() });
    within(Duration::from_secs(90), "it is ahead twice", || is(path.client_metric("handed_over_total"), 2.0));
    let counts = path.cutter.counts();
    // The first may have been older than the others when the plan began.
    assert!((2..=3).contains(&counts.cuts), "two or three teach: {counts:?}");
    tunnel.carry(100_000);
    let handed_over = path.client.process.events_of("tunnel handed over to the next WebSocket");
    for event in &handed_over {
        let age = event.number("age_s").unwrap();
        assert!((7..=9).contains(&age), "at 70 to 85 %: {event:?}");
    }
    let closed = tunnel.finish();
    assert_eq!(closed["resumes"], counts.cuts + 2, "{closed}");
    assert_eq!(is(path.metric("sessions_detached"), 0.0), Some(()));
}
