//! A tunnel of dialect 1, from the upgrade to its end.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use relay::Socket;

use super::{About, Open, Slot, settings, to_wire};
use crate::run::Gate;

pub(super) async fn carry(gate: Arc<Gate>, about: About, on_upgrade: OnUpgrade, socket: Socket, slot: Slot) {
    let wire = match to_wire(on_upgrade).await {
        Ok(wire) => wire,
        Err(error) => {
            tracing::debug!(seq = about.seq, error = %format!("{error:#}"), "no upgrade");
            return about.left();
        }
    };
    about.opened();
    let (about, meter) = (Arc::new(about), gate.meter.part());
    let entered = Open::enter(&gate, &about, meter.clone());
    let ended = tunnel::carry(socket, wire, settings(&gate, &about, meter)).await;
    drop(entered);
    about.closed(&ended, 0);
    drop(slot);
}
