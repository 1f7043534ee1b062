use daemon::argv::{self, Dash};

use super::*;

fn read(line: &str) -> Result<Args, clap::Error> {
    argv::parse(["sabo"].into_iter().chain(line.split_whitespace()).map(Into::into), Dash::Double)
}

#[test]
fn reads_the_original_command_line_and_ours() {
    let args = read("--max-bandwidth 100M --work-dir dump_wd").unwrap();
    assert_eq!(args.max_bandwidth, Bandwidth::new(100_000_000));
    assert_eq!(args.work_dir, Some("dump_wd".into()));
    assert_eq!((args.weight.milli(), args.progress, args.stats), (1000, Progress::Auto, false));
    let args = read(
        "--max_bandwidth=800Mbit --work-dir d --weight 0.1 --name x --size 12G --progress json --stats \
         --one-budget --checksum sha256 --expect-min 1k --sync --create --schedule 08:00,1M",
    );
    let args = args.unwrap();
    assert!(args.stats && args.one_budget && args.sync && args.create);
    assert_eq!((args.size, args.expect_min), (Some(Size(12_000_000_000)), Some(Size(1000))));
    assert_eq!((args.weight.milli(), args.checksum), (100, Some(Checksum::Sha256)));
}

#[test]
fn reads_the_subcommands() {
    assert!(matches!(read("top --work-dir d").unwrap().action, Some(Action::Top(_))));
    assert!(matches!(
        read("status --work-dir d --json").unwrap().action,
        Some(Action::Status { json: true, .. })
    ));
    assert!(matches!(
        read("mackerel --work-dir d --name x --all").unwrap().action,
        Some(Action::Mackerel(Mackerel { all: true, metadata: false, .. }))
    ));
    assert!(matches!(read("metrics --work-dir d").unwrap().action, Some(Action::Metrics(_))));
    let Some(Action::Health(health)) = read("health --work-dir d").unwrap().action else {
        panic!("no health")
    };
    assert_eq!(health.max_age.0.as_secs(), 26 * 3600);
    let Some(Action::Ctl(ctl)) = read("ctl --work-dir d --group 100M --pause").unwrap().action else {
        panic!("no ctl");
    };
    assert_eq!((ctl.change.pause, ctl.change.resume), (Some(true), None));
    assert_eq!(ctl.group, Some(Key::Limit(100_000_000)));
}

#[test]
fn refuses_what_makes_no_sense() {
    let table = [
        ("", "--max-bandwidth"),
        ("--max-bandwidth 100M", "--work-dir"),
        ("--max-bandwidth 0 --work-dir d", "at least 1"),
        ("--max-bandwidth 1M --work-dir d --weight 11", "0.1 to 10"),
        ("--max-bandwidth 1M --work-dir d --weight nan", "0.1 to 10"),
        ("--max-bandwidth 1M --work-dir d extra", "extra"),
        ("--max-bandwidth 1M --work-dir d --checksum md5", "md5"),
        ("ctl --work-dir d", "--pause"),
        ("ctl --work-dir d --pause --resume", "--resume"),
        ("top", "--work-dir"),
        ("mackerel --name x", "--work-dir"),
        ("mackerel --work-dir d --name x.y", "59 at most"),
        ("health --work-dir d --max-age 1", "missing unit"),
    ];
    for (line, part) in table {
        let error = read(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(part), "{line}: {error}");
    }
    assert_eq!(read("-v").unwrap_err().exit_code(), 0);
    assert!(read("--help").unwrap_err().to_string().contains("sabo top"));
}
