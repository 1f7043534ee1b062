//! A gateway that is told to stop, with a socket of its own, while a tunnel is without a WebSocket.

use std::time::Duration;

use e2e::cutter::How;
use e2e::eventually::eventually;
use e2e::http::{Request, get};
use e2e::process::Signal;

use super::integrity::Tunnel;

#[test]
fn a_detached_tunnel_is_resumed_at_a_gateway_that_drains() {
    let mut tunnel = Tunnel::open(&[], &[]);
    let address = tunnel.path.gateway.address;
    tunnel.path.cutter.hole();
    tunnel.path.cutter.cut(How::Reset);
    tunnel.path.audited("detach", 1);
    tunnel.path.gateway.process.signal(Signal::TERM);
    eventually("it drains", || (get(address, "/ready").status == 503).then_some(()));
    let refused =
        Request::upgrade("/proxy/db").with("Wsgate-Tunnel", "2; window=65536; resume=yes").ask(address);
    assert_eq!((refused.status, refused.refusal()), (503, "draining"), "{refused:?}");
    assert!(tunnel.path.gateway.process.exited().is_none(), "it waits for who is to come back");
    tunnel.path.cutter.heal();
    tunnel.carry(100_000);
    tunnel.path.audited("resume", 1);
    // Once more, now that it has been draining for a while.
    tunnel.path.cut_and_wait(How::Close);
    tunnel.carry(100_000);
    assert_eq!(tunnel.finish()["resumes"], 2);
    assert_eq!(tunnel.path.gateway.process.wait(Duration::from_secs(10)).code(), Some(0));
}

#[test]
fn a_draining_gateway_does_not_wait_for_a_client_for_longer_than_the_grace() {
    let mut tunnel = Tunnel::open(&[super::GRACE, "3s"], &[]);
    tunnel.path.cutter.hole();
    tunnel.path.cutter.cut(How::Reset);
    tunnel.path.audited("detach", 1);
    tunnel.path.gateway.process.signal(Signal::TERM);
    assert_eq!(tunnel.path.gateway.process.wait(Duration::from_secs(20)).code(), Some(0));
    tunnel.path.audited("expire", 1);
    assert_eq!(e2e::websocket::End::of_stream(&tunnel.far), e2e::websocket::End::Reset);
}
