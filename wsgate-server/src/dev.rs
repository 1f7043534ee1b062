//! `--dev`: a gateway to try, that needs nothing: a key made for the occasion and two built-in
//! destinations, on loopback only.

mod builtin;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use daemon::listen::ListenAddr;
use daemon::sockets::Sockets;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use relay::Address;
use tempfile::TempDir;
use token::{NewKey, PrivateKey, PublicKey};

use crate::config::{Config, is_loopback};

/// The key pair, in a directory that is removed at the end.
#[derive(Debug)]
pub struct Kit {
    directory: TempDir,
    key: PrivateKey,
}

impl Kit {
    /// Makes the key pair. The gateway must listen where only this host reaches it.
    ///
    /// # Errors
    /// If it listens elsewhere, or the directory cannot be written.
    pub(crate) fn make(listen: &ListenAddr) -> Result<Self> {
        if !is_loopback(listen) {
            bail!("--dev listens on loopback only, and --listen {listen} does not; try 127.0.0.1:8086");
        }
        let directory = tempfile::Builder::new().prefix("wsgate-dev-").tempdir().context("--dev")?;
        let kit = Self { directory, key: PrivateKey::generate(NewKey::P256)? };
        kit.write("key.pem", &kit.key.to_pem()?)?;
        kit.write("key.pub.pem", &kit.key.public_pem())?;
        Ok(kit)
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.key.public().clone()
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.path().join(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }
}

/// A running dev mode; its files are removed when it is dropped.
#[derive(Debug)]
pub struct Dev {
    _kit: Kit,
}

impl Dev {
    /// Starts the built-in destinations, adds them to the map and prints what to try: a client map with a
    /// port for every destination, those of `--map` too, and the commands.
    ///
    /// # Errors
    /// If a port or a file cannot be had.
    pub async fn start(kit: Kit, config: &mut Config, sockets: &Sockets) -> Result<Self> {
        let gateway = gateway_url(sockets)?;
        for (name, address) in [("hello", builtin::hello().await?), ("echo", builtin::echo().await?)] {
            let host = address.ip().to_string();
            config.build_in(name, Address::Tcp { host, port: address.port() });
        }
        let mut ports = BTreeMap::new();
        for name in config.policy.load().destinations.names() {
            ports.insert(name.to_owned(), free_port()?);
        }
        let line = |(name, port): (&String, &u16)| {
            let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
            format!("127.0.0.1:{port},{gateway}/proxy/{name}\n")
        };
        let map = kit.write("client-map.txt", &ports.iter().map(line).collect::<String>())?;
        say(&map, &kit.directory.path().join("key.pem"), &ports);
        Ok(Self { _kit: kit })
    }
}

fn gateway_url(sockets: &Sockets) -> Result<String> {
    let addresses: Vec<_> = sockets.listeners.iter().filter_map(|l| l.tcp_addr().ok().flatten()).collect();
    if let Some(open) = addresses.iter().find(|address| !address.ip().is_loopback()) {
        bail!("--dev listens on loopback only, and the inherited socket {open} does not");
    }
    let address = addresses.first().context("--dev needs a TCP port; try --listen 127.0.0.1:8086")?;
    Ok(format!("http://{address}"))
}

/// A port that is free now, for the client to listen on.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Prints the commands to try. This is what a user of `--dev` came for, so it goes to stdout.
#[allow(clippy::print_stdout)]
fn say(map: &Path, key: &Path, ports: &BTreeMap<String, u16>) {
    let (map, key) = (map.display(), key.display());
    println!("Not for production: the key is thrown away at the end, and only this host can connect.");
    println!();
    println!("1. In a second terminal, run the client:");
    println!("     wsgate-client --map {map} --private-key {key}");
    println!("2. In a third one, go through the tunnel:");
    for (name, port) in ports {
        let (command, what) = match name.as_str() {
            "hello" => (format!("curl http://127.0.0.1:{port}/"), "a page, built in"),
            "echo" => (format!("nc 127.0.0.1 {port}"), "says what you say, built in"),
            other => (format!("127.0.0.1 port {port}"), other),
        };
        println!("     {command:<36} # {what}");
    }
    println!();
    println!("Ctrl-C ends it.");
}
