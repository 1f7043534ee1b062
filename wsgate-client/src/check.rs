//! `wsgate-client check URL`: one attempt, step by step, and what to do about the step that fails.
//!
//! ```text
//! ok      credential  --private-key: alice, until 2026-11-21T22:40:12Z
//! ok      name        gw.example.com is 192.0.2.10
//! ok      TCP         192.0.2.10:443 in 12 ms
//! FAILED  TLS         invalid peer certificate: UnknownIssuer
//!         fix         the certificate's issuer is not trusted; --ca FILE names the roots to trust
//! ```

mod fix;
mod frames;
mod identity;

use std::io::Write;
use std::time::Duration;

use http::HeaderMap;
use https::{Certificate, Host};
use relay::Socket;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};
use tunnel::Wire;
use tunnel::dialect2::Terms;

use crate::attempt::AttemptError;
use crate::config::Config;
use crate::connect::{self, ConnectError};
use crate::endpoint::Endpoint;
use crate::resume::Agreed;
use crate::retry::Budget;
use crate::stream::Stream;
use crate::upgrade::{self, Granted, upgrade};

/// The longest that a name is looked up.
const LOOK_UP: Duration = Duration::from_secs(10);

/// A step failed, and its line is written.
struct Failed;

/// Says on `out` what works on the way to `gateway`. True if all of it does.
pub async fn check(config: &Config, gateway: &Endpoint, out: impl Write) -> bool {
    let mut check = Check { config, gateway, budget: Budget::new(config.connect_timeout), out };
    let credential = check.credential().await;
    let Ok(stream) = check.connection().await else { return false };
    let Ok(headers) = credential else { return false };
    check.tunnel(stream, headers).await.is_ok()
}

struct Check<'c, W> {
    config: &'c Config,
    gateway: &'c Endpoint,
    budget: Budget,
    out: W,
}

impl<W: Write> Check<'_, W> {
    /// What would be sent. It goes first: the gateway does not wait long for a request once it is reached.
    async fn credential(&mut self) -> Result<HeaderMap, Failed> {
        let found = self.config.credential.headers(&self.gateway.to_string(), self.budget).await;
        let headers = match found {
            Ok(headers) => headers,
            Err(error) => {
                let error = AttemptError::Credential(error);
                return Err(self.attempt_failed("credential", &error));
            }
        };
        let sets = self.config.credential.sets();
        if sets.is_empty() {
            let own = self.config.headers.contains_key(http::header::AUTHORIZATION);
            self.ok("credential", if own { "the -H Authorization" } else { "none: no flag gives one" });
        }
        for (name, flag) in sets {
            let value = headers.get(&name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            self.ok("credential", format!("{flag}: {}", identity::of_bearer(value)));
        }
        Ok(headers)
    }

    async fn connection(&mut self) -> Result<Stream, Failed> {
        let socket = match self.config.proxy_for(self.gateway) {
            None => {
                self.name(&self.gateway.url.host, self.gateway.url.port).await?;
                let begun = Instant::now();
                let dialled = connect::dial(&self.gateway.address, self.budget).await;
                self.connected(dialled.map_err(ConnectError::Dial), begun)?
            }
            Some(proxy) => {
                self.name(&proxy.host, proxy.port).await?;
                let begun = Instant::now();
                let socket = connect::dial_proxy(proxy, self.budget).await;
                let socket = self.connected(socket, begun)?;
                let through = connect::through(socket, proxy, self.gateway, self.budget).await;
                let socket = through.map_err(|error| self.connect_failed("proxy", error))?;
                let Endpoint { url, .. } = self.gateway;
                self.ok("proxy", format!("{proxy} connects to {}:{}", url.host, url.port));
                socket
            }
        };
        self.tls(socket).await
    }

    /// An address needs no look-up. Behind a proxy it is the proxy that is looked up: it does the rest.
    async fn name(&mut self, host: &Host, port: u16) -> Result<(), Failed> {
        let Host::Name(name) = host else { return Ok(()) };
        let found = match timeout(LOOK_UP, lookup_host((name.as_str(), port))).await {
            Ok(Ok(found)) => Ok(found.map(|address| address.ip().to_string()).collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {LOOK_UP:?}")),
        };
        match found {
            Ok(addresses) => self.ok("name", format!("{name} is {}", addresses.join(", "))),
            Err(reason) => return Err(self.failed("name", format!("{name}: {reason}"), fix::NAME)),
        }
        Ok(())
    }

    fn connected(&mut self, dialled: Result<Socket, ConnectError>, begun: Instant) -> Result<Socket, Failed> {
        let socket = dialled.map_err(|error| self.connect_failed("TCP", error))?;
        let took = begun.elapsed().as_millis();
        let peer = match &socket {
            Socket::Tcp(stream) => stream.peer_addr().map(|peer| peer.to_string()).unwrap_or_default(),
            Socket::Unix(_) => String::new(),
        };
        self.ok("TCP", format!("{peer} in {took} ms"));
        Ok(socket)
    }

    async fn tls(&mut self, socket: Socket) -> Result<Stream, Failed> {
        let Some(name) = self.config.tls_name(self.gateway) else {
            self.ok("TLS", "none: the URL is http, and everything goes in the clear");
            return Ok(Stream::Plain(socket));
        };
        let shaken = connect::secure(socket, name, &self.config.tls, self.budget).await;
        let stream = shaken.map_err(|error| self.connect_failed("TLS", error))?;
        let connection = stream.get_ref().1;
        let version = connection.protocol_version().and_then(|version| version.as_str());
        let own = connection.peer_certificates().and_then(|chain| Certificate::of(chain.first()?));
        let own =
            own.map_or("a certificate that cannot be read".into(), |certificate| certificate.to_string());
        let version = version.unwrap_or("an unknown version").replace('_', ".");
        self.ok("TLS", format!("{version}, {own}"));
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn tunnel(&mut self, stream: Stream, credential: HeaderMap) -> Result<(), Failed> {
        let offer = &self.config.offer;
        let asked = upgrade::Asked::new(self.gateway, credential, &self.config.headers, &offer.wanted());
        let begun = Instant::now();
        let opened = upgrade(stream, asked, self.budget.at_most(upgrade::HANDSHAKE)).await;
        let granted = opened.map_err(|error| self.attempt_failed("upgrade", &error))?;
        let took = begun.elapsed().as_millis();
        self.ok("upgrade", format!("101 Switching Protocols in {took} ms: the gateway lets us pass"));
        let Granted { wire, tunnel, cookies } = granted;
        let agreed = tunnel.map(|header| Agreed::on(offer, &header, &cookies));
        self.ok("dialect", dialect(agreed.as_ref()));
        self.round_trip(wire, agreed.map(|agreed| agreed.terms)).await
    }

    async fn round_trip(&mut self, wire: Wire<Stream>, terms: Option<Terms>) -> Result<(), Failed> {
        let mut frames = frames::Frames::new(wire);
        let result = frames.round_trip().await;
        frames.close(terms.map(|terms| frames::farewell(terms, &self.config.offer.budget))).await;
        match result {
            Ok(took) => self.ok("round trip", format!("{:.1} ms", took.as_secs_f64() * 1000.0)),
            Err(error) => return Err(self.failed("round trip", error.to_string(), fix::ROUND_TRIP)),
        }
        Ok(())
    }

    fn ok(&mut self, step: &str, text: impl AsRef<str>) {
        self.line("ok", step, text.as_ref());
    }

    fn connect_failed(&mut self, step: &str, error: ConnectError) -> Failed {
        let fix = fix::of_connect(&error);
        self.failed(step, fix::chain(&error), fix)
    }

    fn attempt_failed(&mut self, step: &str, error: &AttemptError) -> Failed {
        let anonymous = self.config.credential.sets().is_empty();
        let fix = fix::of_attempt(error, anonymous);
        self.failed(step, fix::chain(error), fix)
    }

    fn failed(&mut self, step: &str, reason: String, fix: &str) -> Failed {
        self.line("FAILED", step, &reason);
        self.line("", "fix", fix);
        Failed
    }

    /// Whoever closed stdout wants the exit status.
    fn line(&mut self, verdict: &str, step: &str, text: &str) {
        let _ = writeln!(self.out, "{verdict:<6}  {step:<10}  {text}").and_then(|()| self.out.flush());
    }
}

/// What a tunnel there can do.
fn dialect(agreed: Option<&Agreed>) -> String {
    match agreed.map(|agreed| (agreed.terms.window, &agreed.kept)) {
        None => "1: no half-close, no resume".into(),
        Some((window, None)) => format!("2: half-close, no resume; a window of {} KiB", window / 1024),
        Some((window, Some(kept))) => {
            let (grace, window) = (kept.grace.as_secs(), window / 1024);
            format!(
                "2: half-close; a tunnel that is cut is resumed within {grace} s; a window of {window} KiB"
            )
        }
    }
}
