//! Who is let in with a key configured: tokens made by another library, one fault each.

use std::time::{SystemTime, UNIX_EPOCH};

use e2e::certificate::openssl;
use e2e::destination::Destination;
use e2e::http::{Request, Response};
use e2e::programs::{Client, Gateway};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Keys of every kind, as `NAME.key` (private) and `NAME.pub`.
struct Keys(Scratch);

impl Keys {
    fn new() -> Keys {
        let dir = Scratch::new();
        for (name, kind) in [
            ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
            ("ec", "EC -pkeyopt ec_paramgen_curve:P-256"),
            ("ed", "ED25519"),
            ("other", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ] {
            openssl(&dir, &format!("genpkey -algorithm {kind} -out {name}.key"));
            openssl(&dir, &format!("pkey -in {name}.key -pubout -out {name}.pub"));
        }
        Keys(dir)
    }

    fn public(&self, name: &str) -> String {
        self.0.file(&format!("{name}.pub"))
    }

    fn private(&self, name: &str) -> String {
        self.0.file(&format!("{name}.key"))
    }

    fn sign(&self, name: &str, claims: &Value) -> String {
        let der = |arguments: &str| {
            openssl(&self.0, &format!("{arguments} -in {name}.key -outform DER -out {name}.der"));
            std::fs::read(self.0.file(&format!("{name}.der"))).unwrap()
        };
        let pkcs8 = "pkcs8 -topk8 -nocrypt";
        let (algorithm, key) = match name {
            "ec" => (Algorithm::ES256, EncodingKey::from_ec_der(&der(pkcs8))),
            "ed" => (Algorithm::EdDSA, EncodingKey::from_ed_der(&der(pkcs8))),
            _ => (Algorithm::RS256, EncodingKey::from_rsa_der(&der("rsa -traditional"))),
        };
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Claims that are fine, with others on top; null takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "alice", "iat": now(), "exp": now() + 60});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn present(gateway: &Gateway, authorization: &str) -> Result<WebSocket, Response> {
    WebSocket::try_open(gateway.address, &Request::upgrade("/proxy/db").with("Authorization", authorization))
}

#[test]
fn a_good_token_of_every_kind_of_key_is_let_in() {
    let keys = Keys::new();
    let destination = Destination::echo();
    let public = ["rsa", "ec", "ed"].map(|name| keys.public(name));
    let flags: Vec<&str> = public.iter().flat_map(|file| ["--public-key", file]).collect();
    let gateway = Gateway::start(&destination.map("db"), &flags);
    for name in ["rsa", "ec", "ed"] {
        let token = keys.sign(name, &claims(json!({})));
        for authorization in [format!("Bearer {token}"), format!("bearer  {token}"), token] {
            let answer = present(&gateway, &authorization).map(drop);
            assert!(answer.is_ok(), "{name}: {answer:?}");
        }
    }
}

#[test]
fn a_fault_in_a_token_is_401_and_nothing_is_dialled() {
    let keys = Keys::new();
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &["--public-key", &keys.public("rsa")]);
    let signed = |changes: Value| keys.sign("rsa", &claims(changes));
    let good = signed(json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = head.split_once('.').unwrap();
    let other_payload = signed(json!({"sub": "bob"}));
    let other_payload = other_payload.split('.').nth(1).unwrap();
    let public_as_secret = EncodingKey::from_secret(&std::fs::read(keys.public("rsa")).unwrap());
    for (what, token) in [
        ("expired", signed(json!({"exp": now() - 120, "iat": now() - 200}))),
        ("without exp", signed(json!({"exp": null}))),
        ("without iat", signed(json!({"iat": null}))),
        ("too old", signed(json!({"iat": now() - 3700}))),
        ("from the future", signed(json!({"iat": now() + 300, "exp": now() + 600}))),
        ("not yet valid", signed(json!({"nbf": now() + 300, "exp": now() + 600}))),
        ("without sub", signed(json!({"sub": null}))),
        ("with an empty sub", signed(json!({"sub": ""}))),
        ("of another key", keys.sign("other", &claims(json!({})))),
        ("of another kind of key", keys.sign("ec", &claims(json!({})))),
        ("unsigned", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")),
        ("without a signature", format!("{head}.")),
        ("with another payload", good.replace(payload, other_payload)),
        ("signed with the public key as a secret", {
            encode(&Header::new(Algorithm::HS256), &claims(json!({})), &public_as_secret).unwrap()
        }),
        ("garbage", "garbage".to_owned()),
        ("three garbage parts", "a.b.c".to_owned()),
        ("empty", String::new()),
    ] {
        let answer = present(&gateway, &format!("Bearer {token}")).err();
        expect_401(what, answer.unwrap_or_else(|| panic!("a token {what} was let in")), &[signature, &token]);
    }
    let none = Request::upgrade("/proxy/db").ask(gateway.address);
    expect_401("none", none, &[]);
    let twice = Request::upgrade("/proxy/db")
        .and("Authorization", &format!("Bearer {good}"))
        .and("Authorization", &format!("Bearer {good}"));
    expect_401("two headers", twice.ask(gateway.address), &[]);
    assert_eq!(destination.dialled(), 0, "nothing is dialled before the caller is allowed");
    assert!(!gateway.process.stderr().contains(signature), "no token reaches the log");
}

fn expect_401(what: &str, answer: Response, secrets: &[&str]) {
    assert_eq!((answer.status, answer.refusal()), (401, "credential"), "{what}: {answer:?}");
    let challenge = answer.header("WWW-Authenticate").unwrap_or("");
    assert!(challenge.starts_with("Bearer"), "{what}: {answer:?}");
    assert!(
        secrets.iter().all(|secret| secret.is_empty() || !answer.body.contains(secret)),
        "{what}: {answer:?}"
    );
}

#[test]
fn an_unknown_destination_is_not_told_to_strangers() {
    let keys = Keys::new();
    let gateway = Gateway::start("", &["--public-key", &keys.public("rsa")]);
    assert_eq!(Request::upgrade("/proxy/nowhere").ask(gateway.address).status, 401);
    let token = keys.sign("rsa", &claims(json!({})));
    let answer = present(&gateway, &format!("Bearer {token}")).err().unwrap();
    assert_eq!((answer.status, answer.refusal()), (404, "unknown-destination"));
}

#[test]
fn the_freshness_is_what_the_flag_says() {
    let keys = Keys::new();
    let destination = Destination::echo();
    let flags = ["--public-key", &keys.public("rsa"), "--jwt-freshness", "5m"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let aged = |seconds: i64| keys.sign("rsa", &claims(json!({"iat": now() - seconds})));
    assert!(present(&gateway, &format!("Bearer {}", aged(290))).is_ok(), "younger");
    assert!(present(&gateway, &format!("Bearer {}", aged(325))).is_ok(), "older within the leeway of 30 s");
    assert!(present(&gateway, &format!("Bearer {}", aged(340))).is_err(), "older");
}

#[test]
fn our_client_signs_with_every_form_of_key() {
    let keys = Keys::new();
    // The forms that lie around: PKCS#1 and SEC1 beside PKCS#8, a certificate beside a bare public key.
    openssl(&keys.0, "rsa -in rsa.key -traditional -out pkcs1.key");
    openssl(&keys.0, "rsa -in rsa.key -RSAPublicKey_out -out pkcs1.pub");
    openssl(&keys.0, "req -x509 -key rsa.key -subj /CN=key -days 2 -out certificate.pub");
    openssl(&keys.0, "ec -in ec.key -out sec1.key");
    let destination = Destination::echo();
    for (private, public) in [
        ("rsa", "rsa"),
        ("pkcs1", "pkcs1"),
        ("rsa", "certificate"),
        ("ec", "ec"),
        ("sec1", "ec"),
        ("ed", "ed"),
    ] {
        let gateway = Gateway::start(&destination.map("db"), &["--public-key", &keys.public(public)]);
        let key = keys.private(private);
        let client =
            Client::start(&gateway.url("db"), &["--private-key", &key, "--private-key-user", "alice"]);
        echo_through(&client, private);
        let closed = e2e::eventually::eventually("the end is logged", || {
            gateway.process.events_of("tunnel closed").pop()
        });
        assert_eq!(closed.text("user").as_deref(), Some("alice"), "{private} and {public}");
    }
}

fn echo_through(client: &Client, what: &str) {
    use std::io::{Read, Write};
    let application = client.connect();
    (&application).write_all(what.as_bytes()).unwrap();
    let mut got = vec![0; what.len()];
    (&application).read_exact(&mut got).unwrap_or_else(|error| panic!("with a key of form {what}: {error}"));
    assert_eq!(got, what.as_bytes());
}
