//! Single cases, each with its reason.

use super::rig::{CLIENT, Rig, SERVER, payload};
use crate::dialect2::Over;

const FINISHED: [Option<Over>; 2] = [Some(Over::Finished), Some(Over::Finished)];

fn rig(lens: [usize; 2]) -> Rig {
    Rig::new([payload(lens[0], 1), payload(lens[1], 2)], 1 << 20, true, 1 << 24)
}

#[test]
fn both_directions_full_and_both_sockets_blocked_then_one_drains() {
    for drains in [CLIENT, SERVER] {
        let mut rig = rig([3_000_000, 3_000_000]);
        rig.run(&[CLIENT, SERVER]);
        assert!(rig.ends.iter().all(|end| end.sink.is_empty() && end.read == 65_536), "full");
        rig.run(&[1 - drains]);
        assert_eq!(rig.ends[drains].sink.len(), 3_000_000, "it does not wait for the other one");
        rig.end_sources();
        rig.run(&[]);
        assert!(rig.is_whole());
        assert_eq!(rig.over(), FINISHED);
    }
}
