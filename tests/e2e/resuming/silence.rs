//! WebSockets that die without a word. It takes 25 s of silence and 20 s without an answer to know it, so these
//! tests sleep, side by side.

use std::time::{Duration, Instant};

use e2e::cutter::How;
use e2e::eventually::within;

use super::integrity::Tunnel;
use super::is;

/// 45 s, and air for a busy machine.
const NOTICED: Duration = Duration::from_secs(75);
const EARLIEST: Duration = Duration::from_secs(40);

#[test]
fn a_black_hole_is_noticed_by_both_ends_and_survived() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    path.cutter.hole();
    let begun = Instant::now();
    // Both have something to say, and do not get rid of it.
    e2e::pattern::write(&tunnel.application, 3, 100_000);
    e2e::pattern::write(&tunnel.far, 4, 100_000);
    within(NOTICED, "both ends notice", || {
        is(path.client_metric("detached"), 1.0)?;
        is(path.metric("sessions_detached"), 1.0)
    });
    assert!(begun.elapsed() >= EARLIEST, "{:?}", begun.elapsed());
    path.cutter.heal();
    e2e::pattern::read(&tunnel.far, 3, 100_000);
    e2e::pattern::read(&tunnel.application, 4, 100_000);
    path.shows("sessions_detached", 0.0);
    assert_eq!(tunnel.finish()["resumes"], 1);
}

#[test]
fn a_black_hole_that_passes_cuts_nothing() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    path.cutter.hole();
    std::thread::sleep(Duration::from_secs(5)); // the hole is what this test is about
    path.cutter.heal();
    tunnel.carry(100_000);
    assert_eq!(tunnel.finish()["resumes"], 0);
    assert_eq!(path.cutter.counts().connections, 1);
}

#[test]
fn a_gateway_that_has_lost_its_client_unawares_is_told_by_the_resume() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    for resumes in 1..=3 {
        path.cut_and_wait(How::OnlyClient);
        tunnel.carry(200_000);
        assert_eq!(is(path.metric("sessions_resumed_total"), f64::from(resumes)), Some(()));
    }
    assert_eq!(tunnel.finish()["resumes"], 3);
    assert_eq!(is(path.metric("sessions_expired_total"), 0.0), Some(()));
}

#[test]
fn a_client_that_has_lost_its_gateway_unawares_finds_out() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    path.cutter.cut(How::OnlyGateway);
    path.shows("sessions_detached", 1.0);
    e2e::pattern::write(&tunnel.application, 3, 100_000);
    e2e::pattern::write(&tunnel.far, 4, 100_000);
    within(NOTICED, "the client comes back", || is(path.metric("sessions_resumed_total"), 1.0));
    e2e::pattern::read(&tunnel.far, 3, 100_000);
    e2e::pattern::read(&tunnel.application, 4, 100_000);
    assert_eq!(tunnel.finish()["resumes"], 1);
}
