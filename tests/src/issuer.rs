//! A local authority: keys that sign tokens, and the JWK set of them on a web server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
pub use token::NewKey;
use token::PrivateKey;

use crate::scratch::Scratch;
use crate::web_server::{WebServer, answer};

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

/// Claims that are fine for a minute, with others on top; null takes one away.
pub fn claims(subject: &str, changes: Value) -> Value {
    let mut claims = json!({"sub": subject, "iat": now(), "exp": now() + 60});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        claims[name] = value;
    }
    claims.as_object_mut().expect("claims are an object").retain(|_, value| !value.is_null());
    claims
}

/// A key with a name.
#[derive(Debug)]
pub struct Issuer {
    /// The name.
    pub kid: String,
    key: PrivateKey,
    dir: Scratch,
}

impl Issuer {
    /// A new key.
    pub fn new(kind: NewKey, kid: &str) -> Issuer {
        let key = PrivateKey::generate(kind).expect("a key can be made");
        let dir = Scratch::new();
        dir.write("public.pem", key.public_pem());
        dir.write("private.pem", key.to_pem().expect("a key that was made can be written"));
        Issuer { kid: kid.to_owned(), key, dir }
    }

    /// An ES256 key.
    pub fn es256(kid: &str) -> Issuer {
        Issuer::new(NewKey::P256, kid)
    }

    /// A token with these claims, and the `kid`.
    pub fn token(&self, claims: &Value) -> String {
        self.key.sign(Some(&self.kid), claims).expect("claims can be signed")
    }

    /// A token with these claims, without a `kid`.
    pub fn anonymous_token(&self, claims: &Value) -> String {
        self.key.sign(None, claims).expect("claims can be signed")
    }

    /// `Bearer` and a good token for this subject.
    pub fn bearer(&self, subject: &str) -> String {
        format!("Bearer {}", self.token(&claims(subject, json!({}))))
    }

    /// The public key's file.
    pub fn public(&self) -> String {
        self.dir.file("public.pem")
    }

    /// The private key's file.
    pub fn private(&self) -> String {
        self.dir.file("private.pem")
    }

    /// The private key as PEM.
    pub fn private_pem(&self) -> String {
        self.key.to_pem().expect("a key that was made can be written")
    }

    /// The public key as PEM.
    pub fn public_pem(&self) -> String {
        self.key.public_pem()
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        self.key.public().to_jwk(Some(&self.kid))
    }
}

/// The JWK set of these.
pub fn jwk_set(issuers: &[&Issuer]) -> String {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// A web server with a JWK set that can be changed, spoilt and taken away.
#[derive(Debug)]
pub struct KeyServer {
    server: WebServer,
    answer: Arc<Mutex<String>>,
}

impl KeyServer {
    /// Answers 503 until something is published.
    pub fn new() -> KeyServer {
        let current = Arc::new(Mutex::new(answer("503 Service Unavailable", "", "no keys yet")));
        let ours = Arc::clone(&current);
        let server =
            WebServer::answering(move |_| ours.lock().unwrap_or_else(PoisonError::into_inner).clone());
        KeyServer { server, answer: current }
    }

    /// Serves the keys of these from now on.
    pub fn publish(&self, issuers: &[&Issuer]) {
        self.serve(answer("200 OK", "Content-Type: application/json\r\n", &jwk_set(issuers)));
    }

    /// Serves something that is no JWK set.
    pub fn spoil(&self) {
        self.serve(answer("200 OK", "", "<html>captive portal</html>"));
    }

    /// Answers 503.
    pub fn fail(&self) {
        self.serve(answer("503 Service Unavailable", "", "gone"));
    }

    fn serve(&self, answer: String) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// How often it was asked.
    pub fn fetched(&self) -> usize {
        self.server.asked().len()
    }

    /// Where the set is.
    pub fn url(&self) -> String {
        self.server.url("/jwks")
    }
}

impl Default for KeyServer {
    fn default() -> Self {
        Self::new()
    }
}
