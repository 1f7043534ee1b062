//! Reading the policy at the start, and again on SIGHUP and when one of its files changes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use daemon::reload::{Counts, Paths, Snapshot, Watch};
use relay::Address;
use token::PublicKey;
use tokio_util::sync::CancellationToken;

use super::Policy;
use super::source::Source;
use crate::Args;
use crate::file::File;

/// How long the first keys from a new `--iap-jwks` may take, before the old policy stays.
const FIRST_KEYS: Duration = Duration::from_secs(15);

/// What keeps a policy up to date.
#[derive(Debug)]
pub struct Reload {
    watch: Watch,
    source: Source,
    /// The file as it was at the start: what cannot change while running is what it says.
    started: File,
}

impl Reload {
    /// Reads the configuration file and the policy. `made` is the key that `--dev` has made. Inside a tokio
    /// runtime; SIGHUP is caught from now on.
    ///
    /// # Errors
    /// The first thing wrong in one of the files.
    pub fn start(args: Args, made: Option<PublicKey>) -> Result<(Self, File, Policy)> {
        let source = Source { args, made, built_in: Vec::new() };
        // Read once for the names of the files, so that they are watched before they are read.
        let paths = source.paths(&source.file()?);
        let watch = Watch::new("configuration", paths).on_hangup().context("SIGHUP")?.refuse_empty();
        let file = source.file()?;
        watch.paths().replace(source.paths(&file));
        let policy = source.read(&file, None)?;
        Ok((Self { watch, source, started: file.clone() }, file, policy))
    }

    /// From now on there is a destination that no file has.
    pub(crate) fn build_in(&mut self, name: String, address: Address) {
        self.source.built_in.push((name, address));
    }

    /// How reloads go.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        self.watch.counts()
    }

    /// Replaces `policy` at every reload, until `stop`.
    pub async fn run(self, policy: Snapshot<Policy>, stop: CancellationToken) {
        let Self { watch, source, started } = self;
        let again = Arc::new(Again { paths: watch.paths(), source, started, policy });
        watch.run(stop, || again.clone().read()).await;
    }
}

struct Again {
    paths: Paths,
    source: Source,
    started: File,
    policy: Snapshot<Policy>,
}

impl Again {
    async fn read(self: Arc<Self>) -> Result<()> {
        let this = self.clone();
        let next = tokio::task::spawn_blocking(move || this.next()).await??;
        if let Some(iap) = next.identity.iap()
            && self.policy.load().identity.is_ready()
            && tokio::time::timeout(FIRST_KEYS, iap.ready()).await.is_err()
        {
            bail!("the keys of the Identity-Aware Proxy cannot be fetched from the new --iap-jwks");
        }
        self.policy.store(next);
        Ok(())
    }

    fn next(&self) -> Result<Policy> {
        let file = self.source.file()?;
        if file == File::default() && self.started != file {
            // Comments alone, or emptied while it was read: its limits and rules shall not go with it.
            bail!("the configuration file says nothing any more");
        }
        self.paths.replace(self.source.paths(&file));
        let next = self.source.read(&file, Some(&self.policy.load()))?;
        let fixed = changed(&self.started, &file);
        if !fixed.is_empty() {
            tracing::warn!("changed in the configuration file, and needs a restart: {}", fixed.join(", "));
        }
        Ok(next)
    }
}

/// The names of the settings that differ and cannot change while running.
fn changed(started: &File, now: &File) -> Vec<&'static str> {
    let (a, b) = (started, now);
    let settings = [
        ("listen", a.listen != b.listen),
        ("status_listen", a.status_listen != b.status_listen),
        ("dial_timeout", a.dial_timeout != b.dial_timeout),
        ("handshake_timeout", a.handshake_timeout != b.handshake_timeout),
        ("write_timeout", a.write_timeout != b.write_timeout),
        ("shutdown_timeout", a.shutdown_timeout != b.shutdown_timeout),
        ("idle_timeout", a.idle_timeout != b.idle_timeout),
        ("max_lifetime", a.max_lifetime != b.max_lifetime),
        ("resume_grace", a.resume_grace != b.resume_grace),
        ("no_resume", a.no_resume != b.no_resume),
        ("window", a.window != b.window),
        ("max_detached", a.max_detached != b.max_detached),
        ("max_detached_bytes", a.max_detached_bytes != b.max_detached_bytes),
        ("buffer_limit", a.buffer_limit != b.buffer_limit),
        ("websocket_lifetime", a.websocket_lifetime != b.websocket_lifetime),
        ("reauth_interval", a.reauth_interval != b.reauth_interval),
        ("handover_dir", a.handover_dir != b.handover_dir),
        ("max_connections", a.max_connections != b.max_connections),
        ("tls_cert", a.tls_cert != b.tls_cert),
        ("tls_key", a.tls_key != b.tls_key),
        ("client_ca", a.client_ca != b.client_ca),
        ("proxy_protocol_in", a.proxy_protocol_in != b.proxy_protocol_in),
        ("trusted_proxy", a.trusted_proxy != b.trusted_proxy),
        ("enable_compression", a.enable_compression != b.enable_compression),
        ("dump_tcp", a.dump_tcp != b.dump_tcp),
        ("audit_log", a.audit_log != b.audit_log),
    ];
    settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
