//! Any schedule: what is delivered is what was sent, once, and the end is reached.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::rig::{CLIENT, Rig, SERVER, payload};
use crate::dialect2::{Over, ResetCode};

/// What happens next. An `end` is an index, a number of bytes or a share of what is there.
#[derive(Clone, Debug)]
enum Step {
    Write {
        end: usize,
        bytes: usize,
    },
    Read {
        end: usize,
        bytes: usize,
    },
    Drain {
        end: usize,
        bytes: usize,
    },
    Pass {
        ms: u64,
    },
    /// The wire that the end uses breaks; so many bytes still arrive.
    Cut {
        end: usize,
        arrive: [usize; 2],
    },
    /// The end finds its wire broken before it has read what is left in it.
    Fail {
        end: usize,
    },
    Dial,
    /// The last upgrade reaches the server.
    Accept,
    /// Any upgrade does, however old.
    AcceptLate {
        which: prop::sample::Index,
    },
    Answer,
    GiveUp,
    /// The local socket ends, having sent so many more bytes.
    Eof {
        end: usize,
        more: usize,
    },
    Reset {
        end: usize,
    },
}

fn end() -> impl Strategy<Value = usize> {
    select(vec![CLIENT, SERVER])
}

fn bytes() -> impl Strategy<Value = usize> {
    prop_oneof![1..20usize, 1..5_000usize, 1..300_000usize]
}

fn steps(resets: u32, cuts: u32) -> impl Strategy<Value = Vec<Step>> {
    let flow = prop_oneof![
        4 => (end(), bytes()).prop_map(|(end, bytes)| Step::Write { end, bytes }),
        4 => (end(), bytes()).prop_map(|(end, bytes)| Step::Read { end, bytes }),
        2 => (end(), bytes()).prop_map(|(end, bytes)| Step::Drain { end, bytes }),
        1 => prop_oneof![1..50u64, 1..60_000u64].prop_map(|ms| Step::Pass { ms }),
    ];
    let few = || prop_oneof![Just(0usize), 1..40usize, 1..40_000usize];
    let cut = prop_oneof![
        4 => (end(), [few(), few()]).prop_map(|(end, arrive)| Step::Cut { end, arrive }),
        1 => end().prop_map(|end| Step::Fail { end }),
    ];
    let upgrade = prop_oneof![
        4 => Just(Step::Dial),
        4 => Just(Step::Accept),
        1 => any::<prop::sample::Index>().prop_map(|which| Step::AcceptLate { which }),
        4 => Just(Step::Answer),
        1 => Just(Step::GiveUp),
    ];
    let step = prop_oneof![
        30 => flow,
        cuts => cut,
        4 * cuts => upgrade,
        1 => (end(), bytes()).prop_map(|(end, more)| Step::Eof { end, more }),
        resets => end().prop_map(|end| Step::Reset { end }),
    ];
    prop::collection::vec(step, 1..150)
}

fn take(rig: &mut Rig, step: &Step) {
    match *step {
        Step::Write { end, bytes } => _ = rig.write(end, bytes),
        Step::Read { end, bytes } => _ = rig.read(end, bytes),
        Step::Drain { end, bytes } => _ = rig.drain(end, bytes),
        Step::Pass { ms } => rig.pass(Duration::from_millis(ms)),
        Step::Cut { end, arrive } => {
            if let Some(wire) = rig.ends[end].wire {
                rig.cut(wire, arrive);
            }
        }
        Step::Fail { end } => {
            if let Some(link) = rig.link(end) {
                link.failed();
            }
            rig.pass(Duration::ZERO);
        }
        Step::Dial => rig.dial(),
        Step::Accept => _ = rig.accept(rig.gets.len().wrapping_sub(1)),
        Step::AcceptLate { which } if !rig.gets.is_empty() => _ = rig.accept(which.index(rig.gets.len())),
        Step::AcceptLate { .. } => {}
        Step::Answer => rig.answer(),
        Step::GiveUp => rig.give_up(),
        Step::Eof { end, more } => {
            let end = &mut rig.ends[end];
            if !end.ends {
                end.source.truncate(end.read + more);
                end.ends = true;
            }
        }
        Step::Reset { end } => rig.ends[end].session.reset(ResetCode::LOCAL, "socket failed"),
    }
}

fn rig(window: u32, resume: bool, limit: usize) -> Rig {
    static STREAMS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [payload(300_000, 1), payload(200_000, 2)]);
    Rig::new(STREAMS.clone(), window, resume, limit)
}

/// Cases: WSGATE_PROPTEST_CASES, or few enough for every run.
fn config() -> ProptestConfig {
    let cases = std::env::var("WSGATE_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::with_cases(cases.unwrap_or(100))
    }
}

fn windows() -> impl Strategy<Value = u32> {
    select(vec![65_536, 100_000, 262_144, 1 << 20])
}

fn limits() -> impl Strategy<Value = usize> {
    select(vec![0, 200_000, 1 << 24])
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_streams_come_out_whole_whatever_is_cut(
        steps in steps(0, 1), window in windows(), limit in limits()
    ) {
        let mut rig = rig(window, true, limit);
        steps.iter().for_each(|step| take(&mut rig, step));
        rig.end_sources();
        rig.run(&[]);
        prop_assert!(rig.is_whole());
        prop_assert_eq!(rig.over()[CLIENT].clone(), Some(Over::Finished));
        // A server whose last ACK was lost with the WebSocket is not told, and needs nothing more.
        prop_assert!(rig.over()[SERVER] == Some(Over::Finished) || rig.ends[SERVER].wire.is_none());
    }

    #[test]
    fn cuts_come_thick_and_fast(steps in steps(0, 10), window in windows()) {
        let mut rig = rig(window, true, 1 << 24);
        steps.iter().for_each(|step| take(&mut rig, step));
        rig.end_sources();
        rig.run(&[]);
        prop_assert!(rig.is_whole());
        prop_assert_eq!(rig.over()[CLIENT].clone(), Some(Over::Finished));
    }

    #[test]
    fn without_resume_a_cut_is_the_end(steps in steps(0, 1), window in windows()) {
        let mut rig = rig(window, false, 0);
        steps.iter().for_each(|step| take(&mut rig, step));
        rig.end_sources();
        rig.run(&[]);
        let over = rig.over();
        let finished = over.contains(&Some(Over::Finished));
        prop_assert!(!finished || rig.is_whole(), "{:?}", over);
        let may_cut = |step: &Step| matches!(step, Step::Cut { .. } | Step::Fail { .. } | Step::Pass { .. });
        prop_assert!(over == [Some(Over::Finished), Some(Over::Finished)] || steps.iter().any(may_cut));
        prop_assert!(over.iter().all(Option::is_some));
    }

    #[test]
    fn a_reset_reaches_the_other_end_and_nothing_looks_complete_that_is_not(steps in steps(1, 1)) {
        let mut rig = rig(262_144, true, 1 << 24);
        steps.iter().for_each(|step| take(&mut rig, step));
        rig.end_sources();
        rig.run(&[]);
        let over = rig.over();
        prop_assert!(over[CLIENT].is_some(), "{:?}", over);
        prop_assert!(over[SERVER].is_some() || rig.ends[SERVER].wire.is_none(), "{:?}", over);
        if over.contains(&Some(Over::Finished)) {
            prop_assert!(rig.is_whole());
        }
    }
}
