//! What unit tests of the HTTP side share: a gate without services, and an identity.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::reload::Snapshot;
use daemon::stop::Stop;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use token::{Key, KeySet, NewKey, Policy, PrivateKey};

use crate::gate::Gate;
use crate::{Cache, Config, Identity, Metrics, Patience, Proxies, Ruleset, Service};

/// Long enough for a busy machine, short enough for a test.
pub(crate) const PATIENCE: Patience =
    Patience { head: Duration::from_secs(75), quiet: Duration::from_millis(500) };

pub(crate) fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        status_listen: None,
        auth_path: "auth".parse().unwrap(),
        proxies: Proxies::new(Vec::new()),
        log_allowed_every: 1,
        shutdown_timeout: Duration::from_secs(10),
        max_connections: 1000,
        patience: PATIENCE,
    }
}

pub(crate) fn ruleset() -> Ruleset {
    Ruleset {
        services: Default::default(),
        policy: Default::default(),
        uri_policy: Default::default(),
        accel_expires: None,
        denied: Default::default(),
        cache: Cache::new(0),
    }
}

pub(crate) fn gate_of(config: Config) -> Arc<Gate> {
    gate_that(config, Stop::manual())
}

/// One that stops when it is told.
pub(crate) fn gate_that(config: Config, stop: Stop) -> Arc<Gate> {
    Arc::new(Gate::new(config, Snapshot::new(ruleset()), Metrics::declare().0, stop))
}

pub(crate) fn gate() -> Arc<Gate> {
    gate_of(config())
}

/// The id of the service in [`identity`].
pub(crate) const SERVICE: &str = "report_batch";

/// One that may see nothing.
pub(crate) fn service(id: &str, keys: KeySet) -> Service {
    let (rules, headers) = (Vec::new(), Vec::new());
    Service { id: id.to_owned(), keys, jwks: None, rules, scopes: None, headers }
}

/// Who a token speaks for, in seconds since 1970.
pub(crate) fn identity(issued: u64, expires: u64) -> Arc<Identity> {
    identity_of(issued, expires, None)
}

/// The same, with the end of its key.
pub(crate) fn identity_of(issued: u64, expires: u64, not_after: Option<SystemTime>) -> Arc<Identity> {
    let key = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let keys = KeySet::new(vec![Key { not_after, ..key.public().clone().into() }]).unwrap();
    let text = key.sign(Some("2026-a"), &json!({"sub": SERVICE, "iat": issued, "exp": expires})).unwrap();
    let verified =
        token::verify(&text, &keys, &Policy::default(), UNIX_EPOCH + Duration::from_secs(issued)).unwrap();
    let service = service(SERVICE, keys);
    let headers = [("x-deteco-user", SERVICE), ("x-deteco-email", "batch@example.com")];
    Arc::new(Identity {
        verified,
        service: Arc::new(service),
        jti: None,
        signing_hash: [0; 32],
        left_out: Vec::new(),
        headers: headers
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into(),
    })
}
