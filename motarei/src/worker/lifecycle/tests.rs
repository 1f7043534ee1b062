use super::*;
use crate::worker::sight::{self, Ours, Succession};

/// One step of a story: what happens, after how many seconds, and what is to be done.
#[derive(Debug)]
enum Step {
    Told(Told),
    Found,
    Presumed,
    Lost,
    /// Nothing newer serves.
    Alone,
    /// A newer one serves; the connections to ours, if they can be counted.
    Succeeded(Option<usize>),
}

use Step::{Alone, Found, Lost, Presumed, Succeeded, Told as Tell};
use Told::{Pass, Retire};

const STOP: Told = Told::Stop(Signal::TERM);
const INTERRUPT: Told = Told::Stop(Signal::INT);

fn tell(lifecycle: &mut Lifecycle, step: &Step, now: Instant) -> Deed {
    let drain = Duration::from_secs(30);
    match step {
        Tell(told) => lifecycle.told(*told, now),
        Found => lifecycle.found(),
        Presumed => {
            lifecycle.presumed();
            Deed::Nothing
        }
        Lost => lifecycle.lost(),
        Alone => lifecycle.saw(&Sight::Alone(alone()), now),
        Succeeded(connections) => {
            let by = Succession { by: "b".into(), connections: *connections, drain };
            lifecycle.saw(&Sight::Succeeded(by), now)
        }
    }
}

fn alone() -> sight::Alone {
    sight::Alone { why: "it boots".into(), ours: Ours::Serves }
}

/// Its name, the story, and its deeds.
type Case<'a> = (&'a str, &'a [(u64, Step)], &'a [(u64, Deed)]);

/// The deeds of a story, the nothings left out, each with its second.
fn deeds(story: &[(u64, Step)]) -> (Vec<(u64, Deed)>, Lifecycle) {
    deeds_where(Last::Any, story)
}

fn deeds_where(last: Last, story: &[(u64, Step)]) -> (Vec<(u64, Deed)>, Lifecycle) {
    let (mut lifecycle, start) = (Lifecycle::new(last, Duration::from_secs(2)), Instant::now());
    let mut deeds = Vec::new();
    for (second, step) in story {
        let deed = tell(&mut lifecycle, step, start + Duration::from_secs(*second));
        if deed != Deed::Nothing {
            deeds.push((*second, deed));
        }
    }
    (deeds, lifecycle)
}

const TERM: Deed = Deed::Pass(Signal::TERM);

#[test]
fn the_old_one_serves_until_a_newer_one_does() {
    let table: [Case<'_>; 10] = [
        (
            "presumed only",
            &[(0, Tell(Retire)), (1, Presumed), (2, Alone), (3, Succeeded(Some(0))), (5, Succeeded(Some(0)))],
            &[(5, TERM)],
        ),
        ("nothing newer", &[(0, Found), (1, Tell(Retire)), (2, Alone), (9999, Alone)], &[]),
        (
            "idle",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(Some(0))),
                (3, Succeeded(Some(0))),
                (4, Succeeded(Some(0))),
            ],
            &[(4, Deed::Stop)],
        ),
        (
            "busy until the drain is over",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(Some(1))),
                (31, Succeeded(Some(1))),
                (32, Succeeded(Some(1))),
            ],
            &[(32, Deed::Stop)],
        ),
        (
            "connections that cannot be counted",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(None)),
                (31, Succeeded(None)),
                (32, Succeeded(None)),
            ],
            &[(32, Deed::Stop)],
        ),
        (
            "a newer one that dies, and another",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(Some(1))),
                (20, Alone),
                (21, Succeeded(Some(1))),
                (49, Succeeded(Some(1))),
                (50, Succeeded(Some(0))),
            ],
            &[(50, Deed::Stop)],
        ),
        (
            "told again with each generation",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(Some(1))),
                (3, Tell(Retire)),
                (4, Succeeded(Some(0))),
            ],
            &[(4, Deed::Stop)],
        ),
        ("told again while it stops", &[(0, Found), (1, Tell(STOP)), (2, Tell(Retire))], &[(1, Deed::Stop)]),
        ("not told", &[(0, Found), (1, Succeeded(Some(0))), (9, Succeeded(Some(0)))], &[]),
        (
            "told before it is known",
            &[(0, Tell(Retire)), (1, Found), (2, Succeeded(Some(0))), (4, Succeeded(Some(0)))],
            &[(4, Deed::Stop)],
        ),
    ];
    for (name, story, expected) in table {
        assert_eq!(deeds(story).0, expected, "{name}");
    }
}

#[test]
fn ours_is_kept_until_the_newer_one_has_proved_itself() {
    let second = Duration::from_secs(1);
    for (settle, connections, drain, stopped) in [
        (10, Some(0), 30, 10),
        (10, Some(1), 30, 30),
        // It has had its time, and is the one to go back to all the same.
        (10, Some(1), 3, 10),
        (0, Some(0), 30, 1),
    ] {
        let (mut lifecycle, start) = (Lifecycle::new(Last::Any, second * settle), Instant::now());
        lifecycle.found();
        lifecycle.told(Retire, start);
        let sight = Sight::Succeeded(Succession { by: "b".into(), connections, drain: second * drain });
        let at = (0..99).find(|n| lifecycle.saw(&sight, start + second * *n) == Deed::Stop);
        assert_eq!(at, Some(stopped), "{settle} {connections:?} {drain}");
    }
}

#[test]
fn each_newer_one_has_to_prove_itself_and_the_drain_goes_on() {
    let second = Duration::from_secs(1);
    let (mut lifecycle, start) = (Lifecycle::new(Last::Any, second * 10), Instant::now());
    lifecycle.found();
    lifecycle.told(Retire, start);
    let by = |n: u32| ["b", "c", "d"][usize::try_from(n / 8).unwrap().min(2)].to_owned();
    let mut sees = |n| {
        let sight = Sight::Succeeded(Succession { by: by(n), connections: Some(1), drain: second * 20 });
        lifecycle.saw(&sight, start + second * n)
    };
    assert_eq!(
        (0..99).find(|n| sees(*n) == Deed::Stop),
        Some(26),
        "d came at 16, and the drain was over at 20"
    );
}

#[test]
fn a_stop_is_asked_for_once_and_then_meant() {
    let table: [Case<'_>; 9] = [
        ("known", &[(0, Found), (1, Tell(STOP))], &[(1, Deed::Stop)]),
        ("twice", &[(0, Found), (1, Tell(STOP)), (2, Tell(STOP))], &[(1, Deed::Stop), (2, Deed::Kill)]),
        (
            "again and again",
            &[(0, Found), (1, Tell(STOP)), (2, Tell(STOP)), (3, Tell(STOP)), (9, Tell(INTERRUPT))],
            &[(1, Deed::Stop), (2, Deed::Kill)],
        ),
        ("not known yet", &[(0, Tell(STOP)), (1, Found)], &[(0, TERM), (1, Deed::Stop)]),
        ("not to be known", &[(0, Lost), (1, Tell(STOP)), (2, Tell(STOP))], &[(1, TERM), (2, Deed::Kill)]),
        ("retired, not to be known", &[(0, Lost), (1, Tell(Retire)), (2, Tell(STOP))], &[(1, TERM)]),
        ("lost while retiring", &[(0, Tell(Retire)), (1, Lost)], &[(1, TERM)]),
        ("while retiring", &[(0, Found), (1, Tell(Retire)), (2, Alone), (3, Tell(STOP))], &[(3, Deed::Stop)]),
        (
            "while it stops because it has retired",
            &[
                (0, Found),
                (1, Tell(Retire)),
                (2, Succeeded(Some(0))),
                (4, Succeeded(Some(0))),
                (5, Tell(STOP)),
                (6, Tell(STOP)),
            ],
            &[(4, Deed::Stop), (6, Deed::Kill)],
        ),
    ];
    for (name, story, expected) in table {
        let (deeds, lifecycle) = deeds(story);
        assert_eq!(deeds, expected, "{name}");
        assert!(lifecycle.is_stopping(), "{name}");
    }
}

#[test]
fn what_becomes_known_while_it_is_killed_is_killed() {
    let story = [(0, Tell(STOP)), (1, Tell(STOP)), (2, Found), (3, Tell(STOP))];
    assert_eq!(deeds(&story).0, [(0, TERM), (1, Deed::Kill), (2, Deed::Kill)]);
}

#[test]
fn a_stop_that_takes_too_long_is_a_kill_unless_it_is_one_already() {
    for (story, overdue) in [
        (&[(0, Found), (1, Tell(STOP))][..], Deed::Kill),
        (&[(0, Found), (1, Tell(STOP)), (2, Tell(STOP))], Deed::Nothing),
    ] {
        let (_, mut lifecycle) = deeds(story);
        assert_eq!(lifecycle.overdue(), overdue, "{story:?}");
        assert_eq!(lifecycle.overdue(), Deed::Nothing, "{story:?}");
        assert_eq!(lifecycle.told(STOP, Instant::now()), Deed::Nothing, "{story:?}");
        assert!(lifecycle.is_stopping(), "{story:?}");
    }
}

#[test]
fn what_comes_at_once_is_one_stop_and_start_servers_term_is_never_a_second_one() {
    let stop = (1, Deed::Stop);
    for (last, story, expected) in [
        (Last::Any, &[(1, INTERRUPT), (1, STOP)][..], &[stop][..]),
        (Last::Any, &[(1, STOP), (1, INTERRUPT), (2, STOP)], &[stop, (2, Deed::Kill)]),
        (Last::Interrupt, &[(1, STOP), (1, STOP), (9, STOP)], &[stop]),
        (Last::Interrupt, &[(1, INTERRUPT), (1, STOP), (3, INTERRUPT)], &[stop, (3, Deed::Kill)]),
        (Last::Interrupt, &[(1, STOP), (1, INTERRUPT), (3, INTERRUPT)], &[stop, (3, Deed::Kill)]),
    ] {
        let signals = story.iter().map(|(second, told)| (*second, Tell(*told)));
        let story: Vec<_> = std::iter::once((0, Found)).chain(signals).collect();
        assert_eq!(deeds_where(last, &story).0, expected, "{last:?} {story:?}");
    }
}

#[test]
fn the_applications_signals_are_passed_on_at_any_time() {
    let hup = || Tell(Pass(Signal::HUP));
    let story = [(0, hup()), (1, Found), (2, Tell(Retire)), (3, hup()), (4, Tell(STOP)), (5, hup())];
    let hup = Deed::Pass(Signal::HUP);
    assert_eq!(deeds(&story).0, [(0, hup), (3, hup), (4, Deed::Stop), (5, hup)]);
}

#[test]
fn newer_ones_are_watched_only_to_retire() {
    for (story, watching) in [
        (&[][..], false),
        (&[(0, Found)], false),
        (&[(0, Tell(Retire))], false),
        (&[(0, Tell(Retire)), (1, Found)], true),
        (&[(0, Found), (1, Tell(Retire))], true),
        (&[(0, Found), (1, Tell(Retire)), (2, Tell(STOP))], false),
        (&[(0, Lost), (1, Found), (2, Tell(Retire))], true),
    ] {
        assert_eq!(deeds(story).1.is_watching(), watching, "{story:?}");
    }
}
