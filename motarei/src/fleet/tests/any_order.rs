//! Whatever is told in whichever order, the choice stays the right one.

use super::*;
use crate::container::Health;
use proptest::prelude::*;

const IDS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    List(Vec<bool>),
    Happens(usize, What),
    Answer(usize, Outcome),
    Refused(usize),
    Silent(usize),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let whose = 0..IDS.len();
    let what = prop_oneof![
        Just(What::Killed(15)),
        Just(What::Killed(1)),
        Just(What::Ended),
        Just(What::Disconnected),
        Just(What::Started),
        Just(What::Paused),
        Just(What::Unpaused),
        Just(What::Health(Health::Healthy)),
        Just(What::Health(Health::Unhealthy)),
    ];
    let outcome = prop_oneof![
        4 => Just(Outcome::Ready),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::Closed),
        1 => Just(Outcome::TimedOut),
    ];
    prop_oneof![
        1 => prop::collection::vec(any::<bool>(), IDS.len()).prop_map(Step::List),
        1 => (whose.clone(), what).prop_map(|(id, what)| Step::Happens(id, what)),
        4 => (whose.clone(), outcome).prop_map(|(id, outcome)| Step::Answer(id, outcome)),
        1 => whose.clone().prop_map(Step::Refused),
        1 => whose.prop_map(Step::Silent),
        1 => (0..40_000_u64).prop_map(Step::Later),
    ]
}

fn take(stand: &mut Stand, step: Step) {
    match step {
        Step::List(there) => {
            let there: Vec<_> = IDS.iter().zip(there).filter(|(_, is)| *is).map(|(id, _)| *id).collect();
            stand.list(&there);
        }
        Step::Happens(id, what) => stand.happens(IDS[id], what),
        Step::Answer(id, outcome) => {
            stand.answer(|of| if of == IDS[id] { outcome.clone() } else { Outcome::Refused });
        }
        Step::Refused(id) if has_address(stand, IDS[id]) => stand.refused(IDS[id]),
        Step::Silent(id) if has_address(stand, IDS[id]) => {
            stand.dial_fails(IDS[id], &Undialled::TimedOut);
        }
        Step::Later(milliseconds) => stand.later(milliseconds),
        Step::Refused(_) | Step::Silent(_) => {}
    }
}

fn has_address(stand: &Stand, id: &str) -> bool {
    stand.fleet.members.get(id).is_some_and(|member| member.backends.contains_key(&8000))
}

proptest! {
    #[test]
    fn a_ready_container_is_never_passed_over(steps in prop::collection::vec(step(), 0..60)) {
        let mut stand = web(&IDS);
        for step in steps {
            take(&mut stand, step);
            let route = stand.route();
            let in_state = |state: State| {
                let of = |id: &&str| has_address(&stand, id) && stand.state(id) == state;
                IDS.iter().copied().filter(of).collect::<Vec<_>>()
            };
            // The list gives them their dates anew, so only membership is sure, and states.
            let ready = in_state(State::Ready);
            prop_assert_eq!(ready.is_empty(), route.first().is_none_or(|id| !ready.contains(&id.as_str())));
            for never in [State::Seen, State::Probing, State::Paused] {
                prop_assert!(in_state(never).iter().all(|id| !route.iter().any(|routed| routed == id)));
            }
            for member in stand.fleet.members.values().filter(|member| member.container.phase == Phase::Running) {
                // One that has left a network waits for the list.
                let Some(backend) = member.backends.get(&8000) else { continue };
                prop_assert!(backend.asked || backend.probed.accepts() || backend.due.is_some(), "nobody asks again");
            }
        }
    }
}
