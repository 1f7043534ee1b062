//! TLS: the files it is made of, read when the first https URL needs them, and what its errors mean.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use anyhow::{Context, Result};
use https::{ClientFiles, ClientTls, IdentityFiles};
use rustls::{AlertDescription, CertificateError};

use crate::Args;

/// How TLS is spoken to gateways and token endpoints.
/// Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    files: ClientFiles,
    loaded: Arc<OnceLock<Arc<ClientTls>>>,
}

impl Tls {
    /// Files that the user names are read at once, so that a bad one shows at start.
    pub(crate) fn from_args(args: &Args) -> Result<Self> {
        let pair = args.client_cert.clone().zip(args.client_key.clone());
        let identity = pair.map(|(certificate, key)| IdentityFiles { certificate, key });
        let tls = Self { files: ClientFiles { ca: args.ca.clone(), identity }, loaded: Arc::default() };
        if tls.files != ClientFiles::default() {
            tls.ready()?;
        }
        Ok(tls)
    }

    /// Reads the files, the system's root certificates if there are none, unless that is done.
    ///
    /// # Errors
    /// A file that cannot be read or used; no root certificates.
    pub(crate) fn ready(&self) -> Result<&Arc<ClientTls>> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = Arc::new(ClientTls::load(self.files.clone()).with_context(|| self.flags())?);
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// What is in use; none before [`Tls::ready`].
    pub(crate) fn loaded(&self) -> Option<&Arc<ClientTls>> {
        self.loaded.get()
    }

    /// Until when the certificate of --client-cert is good.
    pub(crate) fn until(&self) -> Option<SystemTime> {
        self.loaded()?.until()
    }

    /// Reads the files again. Open connections are left alone.
    ///
    /// # Errors
    /// As [`Tls::ready`]; then everything stays as it is.
    pub(crate) fn reload(&self) -> Result<()> {
        match self.loaded.get() {
            Some(loaded) => loaded.reload().map(drop).with_context(|| self.flags()),
            None => Ok(()),
        }
    }

    /// For errors: the flags that name the files.
    fn flags(&self) -> &'static str {
        match (&self.files.ca, &self.files.identity) {
            (None, None) => "TLS",
            (Some(_), None) => "--ca",
            (None, Some(_)) => "--client-cert, --client-key",
            (Some(_), Some(_)) => "--ca, --client-cert, --client-key",
        }
    }
}

/// What the user can do about a failed handshake, if its cause is a known one.
pub(crate) fn hint(error: &io::Error) -> Option<&'static str> {
    use CertificateError as Bad;
    Some(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(Bad::UnknownIssuer)) => {
            "the certificate's issuer is not trusted; --ca FILE names the roots to trust"
        }
        Some(rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        )) => "the certificate is another host's; --tls-server-name NAME says whose is expected",
        Some(rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => {
            "the certificate has expired, or this machine's clock is wrong"
        }
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            "the gateway wants a certificate of ours; give --client-cert FILE and --client-key FILE"
        }
        Some(rustls::Error::InvalidMessage(_)) => "what answers there is not TLS; is the URL http?",
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the other end closed the connection",
        _ => return None,
    })
}

/// The hint in brackets, to stand before rustls's words; nothing without one.
pub(crate) fn bracketed(error: &io::Error) -> String {
    hint(error).map(|hint| format!(" ({hint})")).unwrap_or_default()
}
