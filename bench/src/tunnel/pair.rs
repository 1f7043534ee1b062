//! A pair of programs that makes a tunnel: which there are, and one that runs.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::args::{Ours, Peer, TunnelArgs};
use crate::load::{self, Target};
use crate::process::Process;

/// How long a pair may take until it carries.
const START: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const TRY: Duration = Duration::from_millis(20);

/// All that are compared; the first is what the ratios refer to.
pub(super) fn contestants(args: &TunnelArgs) -> Result<Vec<Peer>> {
    let ours = match args.ours.is_empty() {
        true => Vec::new(),
        false => {
            let server = executable("wsgate-server", args.server.as_deref())?;
            let client = executable("wsgate-client", args.client.as_deref())?;
            args.ours.iter().map(|way| own(*way, &server, &client)).collect()
        }
    };
    Ok(ours.into_iter().chain(args.peers()?).collect())
}

fn own(way: Ours, server: &Path, client: &Path) -> Peer {
    let (name, flags) = match way {
        Ours::Dialect1 => ("dialect 1", "-H 'Wsgate-Tunnel: 1'"),
        Ours::Dialect2 => ("dialect 2", ""),
        Ours::NoResume => ("dialect 2, no resume", "--no-resume"),
    };
    Peer {
        name: name.to_owned(),
        server: format!("{} --listen $GATEWAY --map $DIR/server.map", quoted(server)),
        client: format!("{} --map $DIR/client.map {flags}", quoted(client)),
    }
}

/// For sh.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// The executable that was named, or else the one beside ours.
fn executable(name: &str, named: Option<&Path>) -> Result<PathBuf> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name(name));
    let path = named.map_or_else(beside, |path| Ok(path.to_owned())).context("no path of our own")?;
    if !path.is_file() {
        bail!("{} is missing; run: cargo build --release -p wsgate-server -p wsgate-client", path.display());
    }
    Ok(path)
}

/// A pair that carries to the target.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) server: Process,
    pub(super) client: Process,
    /// Where the client listens.
    pub(super) local: SocketAddr,
    _dir: TempDir,
}

impl Pair {
    /// Starts both, and waits until they carry.
    pub(super) fn start(contestant: &Peer, target: Target) -> Result<Self> {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let (gateway, local) = (free_address()?, free_address()?);
        std::fs::write(dir.path().join("server.map"), format!("bench,{}\n", target.address))?;
        std::fs::write(dir.path().join("client.map"), format!("{local},http://{gateway}/proxy/bench\n"))?;
        let variables = [
            ("DIR", dir.path().display().to_string()),
            ("GATEWAY", gateway.to_string()),
            ("LOCAL", local.to_string()),
            ("TARGET", target.address.to_string()),
        ];
        let server = Process::start(&contestant.server, &variables)?;
        let client = Process::start(&contestant.client, &variables)?;
        let mut pair = Self { server, client, local, _dir: dir };
        pair.wait_until_it_carries().with_context(|| format!("{} does not carry", contestant.name))?;
        Ok(pair)
    }

    fn wait_until_it_carries(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let Err(error) = load::open(self.local) else { return Ok(()) };
            for (program, which) in [(&mut self.server, "server"), (&mut self.client, "client")] {
                if program.has_ended() {
                    bail!("its {which} has ended; run its command by hand to see why");
                }
            }
            if begun.elapsed() > START {
                return Err(error);
            }
            std::thread::sleep(TRY);
        }
    }

    /// CPU time of both.
    pub(super) fn cpu(&self) -> Result<Duration> {
        Ok(self.server.cpu()? + self.client.cpu()?)
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_builds_it() {
        let error = executable("wsgate-server", Some(Path::new("nowhere/wsgate-server"))).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("nowhere/wsgate-server is missing; run: cargo build --release"), "{error}");
    }

    #[test]
    fn a_path_is_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/a b/c'd")), r"'/a b/c'\''d'");
    }

    #[test]
    fn a_pair_that_ends_at_once_is_told_apart_from_a_slow_one() {
        let target = Target::start().unwrap();
        let peer = Peer { name: "broken".into(), server: "false".into(), client: "sleep 100".into() };
        let error = format!("{:#}", Pair::start(&peer, target).unwrap_err());
        assert!(error.contains("broken does not carry: its server has ended"), "{error}");
    }
}
