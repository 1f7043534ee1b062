//! Tunnels: our two dialects, and other pairs of programs.

mod pair;

use anyhow::Result;

use crate::args::{Scenario, TunnelArgs};
use crate::board::{Board, percentile};
use crate::load::{self, Target};
use pair::{Pair, contestants};

/// Tunnels that stay open while memory is looked at, and as many before, so that what the programs allocate
/// once is not counted.
const IDLE: usize = 500;
/// How long both ends are given to become quiet.
const QUIET: std::time::Duration = std::time::Duration::from_millis(300);
/// Pings in all.
const PINGS: usize = 9600;
/// New tunnels in all, and how many are made at once.
const CONNECTS: usize = 2000;
const AT_ONCE: usize = 8;

/// Measures all contestants, round by round.
///
/// # Errors
/// If a program is missing, or does not carry.
pub(crate) fn measure(args: &TunnelArgs) -> Result<Board> {
    let target = Target::start()?;
    let contestants = contestants(args)?;
    let mut board = Board::new(contestants.iter().map(|contestant| contestant.name.clone()).collect());
    for _ in 0..args.rounds {
        for (at, contestant) in contestants.iter().enumerate() {
            let pair = Pair::start(contestant, target)?;
            let mut add = |measure, sample| board.add(at, measure, sample);
            for scenario in &args.only {
                run(*scenario, &pair, args.megabytes << 20, &mut add)?;
            }
        }
    }
    Ok(board)
}

fn run(what: Scenario, pair: &Pair, bytes: u64, add: &mut impl FnMut(&'static str, f64)) -> Result<()> {
    match what {
        Scenario::Idle => idle(pair, add),
        Scenario::Connect => {
            add("new tunnels/s", load::connects(pair.local, AT_ONCE, CONNECTS / AT_ONCE)?);
            Ok(())
        }
        Scenario::Ping => ping(pair, add),
        Scenario::Up => stream(
            pair,
            bytes,
            load::up,
            ["up GB/s", "up CPU s/GB", "up CPU s/GB, server", "up CPU s/GB, client"],
            add,
        ),
        Scenario::Down => {
            let measures = ["down GB/s", "down CPU s/GB", "down CPU s/GB, server", "down CPU s/GB, client"];
            stream(pair, bytes, load::down, measures, add)
        }
    }
}

/// One stream: how fast, and at what cost of both programs together and each.
fn stream(
    pair: &Pair,
    bytes: u64,
    carry: fn(std::net::SocketAddr, u64) -> Result<std::time::Duration>,
    [speed, both, server, client]: [&'static str; 4],
    add: &mut impl FnMut(&'static str, f64),
) -> Result<()> {
    let gigabytes = bytes as f64 / 1e9;
    let before = (pair.server.cpu()?, pair.client.cpu()?);
    let took = carry(pair.local, bytes)?;
    let spent = [pair.server.cpu()? - before.0, pair.client.cpu()? - before.1];
    let [at_server, at_client] = spent.map(|spent| spent.as_secs_f64() / gigabytes);
    add(speed, gigabytes / took.as_secs_f64());
    add(both, at_server + at_client);
    add(server, at_server);
    add(client, at_client);
    Ok(())
}

fn ping(pair: &Pair, add: &mut impl FnMut(&'static str, f64)) -> Result<()> {
    for (connections, p50, p99, cost) in [
        (1, "ping p50 µs", "ping p99 µs", "ping CPU µs"),
        (32, "ping p50 µs, 32 at once", "ping p99 µs, 32 at once", "ping CPU µs, 32 at once"),
    ] {
        let before = pair.cpu()?;
        let times = load::pings(pair.local, connections, PINGS / connections)?;
        let spent = pair.cpu()? - before;
        add(p50, percentile(&times, 50));
        add(p99, percentile(&times, 99));
        add(cost, spent.as_secs_f64() * 1e6 / PINGS as f64);
    }
    Ok(())
}

fn idle(pair: &Pair, add: &mut impl FnMut(&'static str, f64)) -> Result<()> {
    let open = || (0..IDLE).map(|_| load::open(pair.local)).collect::<Result<Vec<_>>>();
    let _first = open()?;
    std::thread::sleep(QUIET);
    let before = [pair.server.resident()?, pair.client.resident()?];
    let _second = open()?;
    std::thread::sleep(QUIET);
    let after = [pair.server.resident()?, pair.client.resident()?];
    for (at, measure) in ["idle KB a tunnel, server", "idle KB a tunnel, client"].into_iter().enumerate() {
        add(measure, (after[at] as f64 - before[at] as f64) / 1000.0 / IDLE as f64);
    }
    Ok(())
}
