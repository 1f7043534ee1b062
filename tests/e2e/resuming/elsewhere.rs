//! A resume that is led to a process which does not know the session.

use e2e::cutter::How;
use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::programs::Gateway;
use e2e::status::StatusSocket;
use e2e::websocket::End;

use super::integrity::Tunnel;
use super::is;

#[test]
fn a_resume_that_was_misrouted_is_tried_again() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    let nowhere = Destination::echo();
    let dir = e2e::scratch::Scratch::new();
    let status = StatusSocket::at(format!("unix:{}", dir.file("other")));
    let other = Gateway::start(&nowhere.map("db"), &["--status-listen", &status.address]);
    path.cutter.lead_to(other.address);
    path.cutter.cut(How::Reset);
    let misrouted = || (status.metric("wsgate_server_resumes_misrouted_total") >= 2.0).then_some(());
    eventually("it is tried there twice", misrouted);
    assert_eq!(is(path.metric("sessions_detached"), 1.0), Some(()));
    path.cutter.lead_to(path.gateway.address);
    tunnel.carry(100_000);
    assert_eq!(tunnel.finish()["resumes"], 1);
    assert_eq!(is(path.metric("resumes_misrouted_total"), 0.0), Some(()));
    assert_eq!(nowhere.dialled(), 0);
}

#[test]
fn a_tunnel_whose_gateway_was_killed_is_reset_and_not_complete() {
    let tunnel = Tunnel::open(&[super::GRACE, "5s"], &[]);
    let path = &tunnel.path;
    let other = Gateway::start("", &[]);
    path.cutter.lead_to(other.address);
    path.cutter.cut(How::Reset);
    assert_eq!(End::of_stream(&tunnel.application), End::Reset);
    assert_eq!(End::of_stream(&tunnel.far), End::Reset);
    path.shows("sessions_expired_total", 1.0);
}
