//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail};

const EXAMPLES: &str = "Examples:
  cargo build --release -p wsgate-server -p wsgate-client -p bench
  target/release/bench tunnel --rounds 7 --markdown tunnel.md
      dialect 2, dialect 1, and dialect 2 without resume
  target/release/bench tunnel --only up,down --peer wstunnel \\
      'wstunnel server ws://$GATEWAY' 'wstunnel client -L tcp://$LOCAL:$TARGET ws://$GATEWAY'
      and another pair of programs
  target/release/bench tunnel --server before/wsgate-server --client before/wsgate-client \\
      --peer now 'target/release/wsgate-server --listen $GATEWAY --map $DIR/server.map' \\
                 'target/release/wsgate-client --map $DIR/client.map'
      what a change has brought

The commands of a peer are run by sh. GATEWAY is where the server is to listen, LOCAL where the client is to,
TARGET where the bytes are to go, all host:port; DIR has server.map and client.map for our own programs.";

/// Measures our programs side by side with what a user would pick instead.
#[derive(clap::Parser)]
#[command(name = "bench", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) subject: Subject,
}

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Subject {
    /// wsgate-server and wsgate-client: throughput, latency, new tunnels, memory
    #[command(after_help = EXAMPLES)]
    Tunnel(TunnelArgs),
}

#[derive(clap::Args)]
pub(crate) struct TunnelArgs {
    /// The gateway's executable [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// The client's executable [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) client: Option<PathBuf>,
    /// Another pair of programs to measure; may be given several times
    #[arg(long, num_args = 3, value_names = ["NAME", "SERVER COMMAND", "CLIENT COMMAND"])]
    peer: Vec<String>,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Bytes of one stream, in MiB
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) megabytes: u64,
    /// What is measured: up, down, ping, connect, idle
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "idle,connect,ping,up,down")]
    pub(crate) only: Vec<Scenario>,
    /// Of ours, what is measured; no list: none
    #[arg(long, value_name = "LIST", value_delimiter = ',', num_args = 0.., default_value = "1,2,no-resume")]
    pub(crate) ours: Vec<Ours>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// One thing that is done with a pair of programs.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// One stream from client to server.
    Up,
    /// One stream from server to client.
    Down,
    /// 64 bytes there and back, over 1 and 32 connections.
    Ping,
    /// New tunnels.
    Connect,
    /// Tunnels that carry nothing.
    Idle,
}

/// A way to run our own pair.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ours {
    /// Dialect 1.
    #[value(name = "1")]
    Dialect1,
    /// Dialect 2.
    #[value(name = "2")]
    Dialect2,
    /// Dialect 2 without resume.
    NoResume,
}

/// Where the result goes beside stdout.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Write the table as Markdown to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// A pair of programs by its commands, as sh takes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) client: String,
}

impl TunnelArgs {
    /// # Errors
    /// If a name is given twice: the table would have two columns of it.
    pub(crate) fn peers(&self) -> Result<Vec<Peer>> {
        let mut peers: Vec<Peer> = Vec::new();
        // clap has seen to it that there are three of each.
        for three in self.peer.chunks_exact(3) {
            let [name, server, client] = [0, 1, 2].map(|at| three[at].clone());
            if peers.iter().any(|peer| peer.name == name) {
                bail!("--peer {name} is given twice; give each a name of its own");
            }
            peers.push(Peer { name, server, client });
        }
        Ok(peers)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn peers(line: &[&str]) -> Result<Vec<Peer>> {
        let Subject::Tunnel(args) = Args::try_parse_from(["bench", "tunnel"].iter().chain(line))?.subject;
        args.peers()
    }

    #[test]
    fn a_peer_is_a_name_and_two_commands() {
        let all =
            peers(&["--peer", "a", "s 1", "c 1", "--rounds", "3", "--peer", "b", "s 2", "c 2"]).unwrap();
        assert_eq!(all.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((all[1].server.as_str(), all[1].client.as_str()), ("s 2", "c 2"));
        for bad in [&["--peer", "a", "s"][..], &["--peer", "a", "s", "c", "--peer", "a", "s", "c"]] {
            assert!(peers(bad).is_err(), "{bad:?}");
        }
    }
}
