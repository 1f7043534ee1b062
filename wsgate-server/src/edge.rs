//! What surrounds the tunnels: TLS, who is believed about the address of a caller, how long each may live, and the
//! account of them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use daemon::reload::{Counts, Watch};
use https::{IdentityFiles, ServerFiles, ServerTls};
use tokio_util::sync::CancellationToken;
use tunnel::Limits;

use crate::EdgeArgs;
use crate::audit::Audit;
use crate::config::bound;
use crate::proxies::Proxies;

/// What surrounds the tunnels.
#[derive(Debug)]
pub struct Edge {
    /// When a healthy tunnel is ended.
    pub limits: Limits,
    /// Who is believed about the address of a caller.
    pub proxies: Proxies,
    /// The TLS that is spoken; `None`: plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
    /// The files of `tls`, until [`Edge::watch`].
    certificates: Option<Watch>,
    /// Where audit lines go.
    pub audit: Arc<Audit>,
    /// SIGHUP for `audit`, until [`Edge::watch`].
    rotation: Option<Watch>,
}

impl Edge {
    /// Reads the files that the flags name. Inside a tokio runtime, if there are such.
    pub(crate) fn from_args(args: EdgeArgs) -> Result<Self> {
        let limits =
            Limits { idle: args.idle_timeout.and_then(bound), lifetime: args.max_lifetime.and_then(bound) };
        let proxies = Proxies::new(args.proxy_protocol_in.unwrap_or(false), args.trusted_proxy);
        let (tls, certificates) = match server_files(args.tls_cert, args.tls_key, args.client_ca)? {
            Some(files) => load(files).map(|(tls, watch)| (Some(tls), Some(watch)))?,
            None => (None, None),
        };
        let rotation = match &args.audit_log {
            Some(_) => Some(Watch::new("audit log", []).on_hangup().context("SIGHUP")?),
            None => None,
        };
        let audit = Arc::new(Audit::open(args.audit_log)?);
        Ok(Self { limits, proxies, tls, certificates, audit, rotation })
    }

    /// Reads certificates again when they change and on SIGHUP, and follows a renamed audit log on SIGHUP,
    /// until `stop` is cancelled. Gives how that goes.
    pub(crate) fn watch(&mut self, stop: &CancellationToken) -> Vec<Arc<Counts>> {
        let watches = [&self.certificates, &self.rotation].into_iter().flatten();
        let counts = watches.map(Watch::counts).collect();
        if let (Some(tls), Some(watch)) = (self.tls.clone(), self.certificates.take()) {
            let stop = stop.clone();
            tokio::spawn(watch.run(stop, move || {
                let tls = tls.clone();
                async move { tokio::task::spawn_blocking(move || tls.reload()).await?.map(drop) }
            }));
        }
        if let Some(rotation) = self.rotation.take() {
            let (audit, stop) = (self.audit.clone(), stop.clone());
            tokio::spawn(rotation.run(stop, move || std::future::ready(audit.reopen())));
        }
        counts
    }
}

/// The files of TLS, if it is to be spoken.
fn server_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<ServerFiles>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(ServerFiles { identity: IdentityFiles { certificate, key }, client_ca }))
        }
        (Some(_), None) => bail!("--tls-cert needs --tls-key (it may name the same file)"),
        (None, Some(_)) => bail!("--tls-key needs --tls-cert (it may name the same file)"),
        (None, None) if client_ca.is_some() => {
            bail!("--client-ca needs TLS: give --tls-cert and --tls-key")
        }
        (None, None) => Ok(None),
    }
}

fn load(files: ServerFiles) -> Result<(Arc<ServerTls>, Watch)> {
    let ServerFiles { identity, client_ca } = &files;
    let paths = [&identity.certificate, &identity.key].into_iter().chain(client_ca).cloned();
    let watch = Watch::new("certificates", paths).on_hangup().context("SIGHUP")?.refuse_empty();
    let tls = ServerTls::load(files).context("TLS")?;
    Ok((Arc::new(tls), watch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_whole_or_not_at_all() {
        let file = |given: bool| given.then(|| PathBuf::from("file"));
        for (certificate, key, ca, says) in [
            (false, false, false, None),
            (true, true, false, None),
            (true, true, true, None),
            (true, false, false, Some("--tls-cert needs --tls-key")),
            (false, true, true, Some("--tls-key needs --tls-cert")),
            (false, false, true, Some("--client-ca needs TLS")),
        ] {
            match (server_files(file(certificate), file(key), file(ca)), says) {
                (Ok(files), None) => assert_eq!(files.is_some(), certificate),
                (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{error}"),
                (found, says) => panic!("{found:?}, not {says:?}"),
            }
        }
    }
}
