use proptest::prelude::*;

use super::*;

const MS: Nanos = 1_000_000;

#[test]
fn costs_round_up() {
    let table = [
        (1, 1, SECOND),
        (1, 3, 333_333_334),
        (0, 100, 0),
        (100_000_000, 100_000_000, SECOND),
        (1, u64::MAX, 1),
        (u64::MAX, 1, Nanos::MAX / 4),
        (1, 0, SECOND),
    ];
    for (bytes, rate, nanos) in table {
        assert_eq!(cost(bytes, rate), nanos, "{bytes} at {rate}");
    }
}

#[test]
fn a_quantum_is_20_ms_of_the_rate() {
    let table = [
        (100_000_000, 1000, 262_144),
        (10_000_000, 1000, 200_000),
        (10_000_000, 10_000, 2_000_000),
        (10_000_000, 100, 20_000),
        (32_000, 1000, 640),
        (1_000, 1000, 20),
        (1_000, 100, 2),
        (10, 10_000, 2),
        (1, 1000, 1),
        (1, 100, 1),
        (u64::MAX, 10_000, 2_621_440),
        (u64::MAX, u32::MAX, 2_621_440),
    ];
    for (rate, weight, bytes) in table {
        assert_eq!(quantum(rate, weight), bytes, "{rate} at {weight}");
    }
}

#[test]
fn a_tat_beyond_the_horizon_is_replaced_once() {
    let now = 1000 * SECOND;
    let tat = AtomicI64::new(now + SECOND + 1);
    let beyond = reserve(&tat, || now, MS, SECOND).unwrap_err();
    assert_eq!(beyond, Beyond(now + SECOND + 1));
    assert!(replace(&tat, Beyond(now + SECOND + 1), now));
    assert!(!replace(&tat, beyond, now));
    assert_eq!(reserve(&tat, || now, MS, SECOND), Ok(now + MS));
    for garbage in [Nanos::MAX, Nanos::MAX - 1] {
        tat.store(garbage, Ordering::Relaxed);
        assert_eq!(reserve(&tat, || now, MS, horizon(1024, 1)), Err(Beyond(garbage)));
    }
    for past in [Nanos::MIN, -1, 0, now - BURST] {
        tat.store(past, Ordering::Relaxed);
        assert_eq!(reserve(&tat, || now, 5 * MS, SECOND), Ok(now + 3 * MS));
    }
}

#[test]
fn no_debt_of_the_group_itself_is_beyond_the_horizon() {
    for rate in [1, 3, 1_000, 32_000, 100_000_000, 1 << 40] {
        for members in [1, 16, 1024] {
            let (now, tat) = (SECOND, AtomicI64::new(0));
            let dearest = cost(quantum(rate, HEAVIEST), rate);
            // Two rounds: everybody leaves and is replaced before anything has passed.
            for _ in 0..2 * members {
                reserve(&tat, || now, dearest, horizon(members, rate)).unwrap();
            }
        }
    }
}

/// A member of a simulated group.
#[derive(Clone, Debug)]
struct Sender {
    weight: u32,
    /// How late it wakes, in ns, at most.
    late: Nanos,
    /// Whether its source fell silent for a while, holding a reserved chunk.
    silent: bool,
}

/// Runs the members for a while; the moments at which chunks were moved, by whom and how much.
fn simulate(rate: u64, senders: &[Sender], until: Nanos) -> Vec<(Nanos, usize, u64)> {
    let tat = AtomicI64::new(0);
    let start = 1000 * SECOND;
    let mut due: Vec<(Nanos, u64)> = vec![(start, 0); senders.len()];
    let mut moved = Vec::new();
    let mut steps: i64 = 0;
    while let Some((who, &(now, held))) = due.iter().enumerate().min_by_key(|(_, (at, _))| *at) {
        if now > start + until {
            break;
        }
        if held > 0 {
            moved.push((now, who, held));
        }
        steps += 1;
        let sender = &senders[who];
        let bytes = quantum(rate, sender.weight);
        let at = reserve(&tat, || now, cost(bytes, rate), horizon(senders.len(), rate)).unwrap();
        let pause = if sender.silent && steps % 50 == 0 { SECOND / 3 } else { 0 };
        let late = if sender.late == 0 { 0 } else { steps * 7919 % sender.late };
        due[who] = (at.max(now) + late + pause, bytes);
    }
    moved
}

fn senders() -> impl Strategy<Value = Vec<Sender>> {
    let sender = (LIGHTEST..=HEAVIEST, 0..4 * MS, proptest::bool::weighted(0.2))
        .prop_map(|(weight, late, silent)| Sender { weight, late, silent });
    proptest::collection::vec(sender, 1..17)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_window_moves_more_than_its_bound(
        rate in prop_oneof![1_000u64..50_000, 1_000_000u64..200_000_000],
        senders in senders(),
        windows in proptest::collection::vec(MS..SECOND, 8),
    ) {
        let moved = simulate(rate, &senders, 2 * SECOND);
        let quanta: u64 = senders.iter().map(|sender| quantum(rate, sender.weight)).sum();
        for window in windows {
            let bound = (i128::from(rate) * i128::from(window + BURST) / i128::from(SECOND)) as u64 + quanta + 1;
            let mut sum = 0;
            let mut first = 0;
            for &(at, _, bytes) in &moved {
                sum += bytes;
                while moved[first].0 < at - window {
                    sum -= moved[first].2;
                    first += 1;
                }
                prop_assert!(sum <= bound, "{sum} > {bound} in {window} ns");
            }
        }
    }

    #[test]
    fn the_whole_rate_is_used_and_shared_by_weight(
        rate in 1_000_000u64..200_000_000,
        heavy in 1u32..11,
    ) {
        let sender = |weight| Sender { weight, late: MS, silent: false };
        let moved = simulate(rate, &[sender(1000), sender(heavy * 1000)], 20 * SECOND);
        let of = |who| moved.iter().filter(|(_, by, _)| *by == who).map(|(.., bytes)| *bytes).sum::<u64>() as f64;
        let total = of(0) + of(1);
        let full = rate as f64 * 20.0;
        prop_assert!((total / full - 1.0).abs() < 0.03, "{total} of {full}");
        prop_assert!((of(1) / of(0) / f64::from(heavy) - 1.0).abs() < 0.03, "{} to {}", of(1), of(0));
    }
}

#[test]
fn sixteen_members_at_32_kb_do_not_double_the_limit() {
    let senders = vec![Sender { weight: 1000, late: 0, silent: false }; 16];
    let moved = simulate(32_000, &senders, 60 * SECOND);
    let total: u64 = moved.iter().map(|(.., bytes)| bytes).sum();
    assert!((1_910_000..1_930_000).contains(&total), "{total}");
}

#[test]
fn threads_together_reserve_what_each_reserved() {
    let tat = AtomicI64::new(0);
    let now = 1000 * SECOND;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    reserve(&tat, || now, 100, 10 * SECOND).unwrap();
                }
            });
        }
    });
    assert_eq!(tat.into_inner(), now - BURST + 4_000_000);
}
