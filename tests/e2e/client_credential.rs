//! Where the client takes its credential from, one test a row.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use e2e::eventually::eventually;
use e2e::fake_gateway::{FakeGateway, header_of};
use e2e::issuer::{Issuer, NewKey, claims, now};
use e2e::process::Process;
use e2e::programs::{Client, program};
use e2e::scratch::Scratch;
use e2e::web_server::{WebServer, answer};
use serde_json::{Value, json};
use token::{Key, KeySet, Policy, PublicKey};

use super::client_flags::fails;

const EMAIL: &str = "robot@project.iam.gserviceaccount.com";
const CLIENT_ID: &str = "123-abc.apps.googleusercontent.com";

/// A service account's key file, with its token endpoint.
fn account(dir: &Scratch, issuer: &Issuer, token_uri: &str) -> String {
    let file = json!({
        "type": "service_account", "project_id": "project", "client_email": EMAIL, "client_id": "117",
        "private_key_id": issuer.kid, "private_key": issuer.private_pem(), "token_uri": token_uri,
    });
    dir.write("account.json", file.to_string())
}

/// The claims of a token that this key has signed.
pub(crate) fn verified(token: &str, issuer: &Issuer) -> Value {
    let public = PublicKey::from_pem(&fs::read(issuer.public()).unwrap()).unwrap();
    let keys = KeySet::new(vec![Key::from(public)]).unwrap();
    let verified = token::verify(token, &keys, &Policy::default(), std::time::SystemTime::now());
    let verified = verified.unwrap_or_else(|why| panic!("{why}: {token}"));
    Value::Object(verified.claims.clone())
}

/// A gateway that answers 404 and remembers what it was sent.
pub(crate) fn remembering() -> FakeGateway {
    FakeGateway::answering(|_| answer("404 Not Found", "", "seen"))
}

pub(crate) fn sent(gateway: &FakeGateway, name: &str) -> String {
    let seen = gateway.seen();
    let head = seen.last().expect("the gateway was asked");
    header_of(head, name).unwrap_or_else(|| panic!("{name} was sent: {head:?}")).to_owned()
}

/// A token endpoint that gives tokens for `life` seconds, numbered.
fn endpoint(issuer: Arc<Issuer>, life: u64) -> WebServer {
    let count = AtomicU64::new(0);
    WebServer::answering(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let changes = json!({"number": number, "exp": now() + life});
        let body = json!({"id_token": issuer.token(&claims(EMAIL, changes))});
        answer("200 OK", "Content-Type: application/json\r\n", &body.to_string())
    })
}

#[test]
fn iap_credential_is_traded_for_an_identity_token() {
    let (robot, google) = (Issuer::new(NewKey::Rsa2048, "robot-1"), Arc::new(Issuer::es256("g")));
    let endpoint = endpoint(Arc::clone(&google), 3600);
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    for client_id in ["123-abc", CLIENT_ID] {
        let client =
            Client::start(&gateway.url(), &["--iap-credential", &file, "--iap-client-id", client_id]);
        fails(&client, "gateway answered 404");
        let bearer = sent(&gateway, "Authorization");
        assert_eq!(verified(bearer.strip_prefix("Bearer ").unwrap(), &google)["sub"], EMAIL);
        let asked = endpoint.asked().pop().unwrap();
        assert_eq!(asked.head[0], "POST /token HTTP/1.1");
        assert_eq!(asked.header("Content-Type"), Some("application/x-www-form-urlencoded"));
        let (grant, assertion) = asked.body.split_once("&assertion=").unwrap();
        assert_eq!(grant, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
        let claims = verified(assertion, &robot);
        assert_eq!(claims["target_audience"], CLIENT_ID, "completed only if need be");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(EMAIL), &json!(EMAIL)));
        assert_eq!(claims["aud"], endpoint.url("/token"));
        assert!(!client.process.stderr().contains(assertion), "no assertion in the log");
        assert!(!client.process.stderr().contains(&bearer["Bearer ".len()..]), "no token in the log");
    }
}

#[test]
fn iap_credential_is_used_for_many_tunnels_and_renewed_ahead_of_its_expiry() {
    let (robot, google) = (Issuer::new(NewKey::Rsa2048, "robot-1"), Arc::new(Issuer::es256("g")));
    let dir = Scratch::new();
    let gateway = remembering();
    for (life, least, most) in [(3600, 1, 1), (45, 2, 20)] {
        let endpoint = endpoint(Arc::clone(&google), life);
        let file = account(&dir, &robot, &endpoint.url("/token"));
        let client =
            Client::start(&gateway.url(), &["--iap-credential", &file, "--iap-client-id", "123-abc"]);
        for _ in 0..5 {
            fails(&client, "gateway answered 404");
        }
        eventually("it is renewed", || (endpoint.asked().len() >= least).then_some(()));
        assert!(endpoint.asked().len() <= most, "{life}: {}", endpoint.asked().len());
    }
}

#[test]
fn iap_credential_that_cannot_be_renewed_is_used_while_it_lives() {
    let (robot, google) = (Issuer::new(NewKey::Rsa2048, "robot-1"), Arc::new(Issuer::es256("g")));
    let first = AtomicBool::new(true);
    let endpoint = WebServer::answering(move |_| {
        if !first.swap(false, Ordering::Relaxed) {
            return answer("503 Service Unavailable", "", "later");
        }
        let body = json!({"id_token": google.token(&claims(EMAIL, json!({"exp": now() + 16})))});
        answer("200 OK", "", &body.to_string())
    });
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    let client = Client::start(&gateway.url(), &["--iap-credential", &file, "--iap-client-id", "123-abc"]);
    eventually("a renewal has failed", || {
        fails(&client, "gateway answered 404");
        (endpoint.asked().len() >= 2).then_some(())
    });
    let count = gateway.seen().len();
    fails(&client, "gateway answered 404");
    assert_eq!(gateway.seen().len(), count + 1, "the old token is still sent");
    assert!(endpoint.asked().len() <= 6, "not at every connection: {}", endpoint.asked().len());
}

#[test]
fn iap_credential_that_is_refused_shows_what_the_endpoint_said() {
    let robot = Issuer::new(NewKey::Rsa2048, "robot-1");
    let endpoint = WebServer::answering(|_| {
        let body = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        answer("400 Bad Request", "Content-Type: application/json\r\n", body)
    });
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    let map = dir.write("client.map", format!("127.0.0.1:0,{}\n", gateway.url()));
    let mut command = Command::new(program("wsgate-client"));
    command.args(["--map", &map, "--iap-credential", &file, "--iap-client-id", "123-abc"]);
    let mut process = Process::spawn("wsgate-client", &mut command);
    assert_eq!(process.wait(Duration::from_secs(10)).code(), Some(1), "it is final, and so at start");
    assert!(process.stderr().contains("invalid_grant"), "{}", process.stderr());
    assert!(process.stderr().contains("Invalid JWT Signature."), "{}", process.stderr());
    assert!(gateway.seen().is_empty(), "without a token the gateway is not asked");
    assert!(!process.stderr().contains("PRIVATE"));
}

#[test]
fn google_application_credentials_is_taken_when_no_file_is_named() {
    let (robot, google) = (Issuer::new(NewKey::Rsa2048, "robot-1"), Arc::new(Issuer::es256("g")));
    let endpoint = endpoint(Arc::clone(&google), 3600);
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    let mut command = Command::new(program("wsgate-client"));
    command.env("GOOGLE_APPLICATION_CREDENTIALS", file);
    let map = format!("127.0.0.1:0,{}\n", gateway.url());
    let client = Client::from_command(command, &map, &["--iap-client-id", "123-abc"]);
    fails(&client, "gateway answered 404");
    assert!(sent(&gateway, "Authorization").starts_with("Bearer "));
    assert_eq!(endpoint.asked().len(), 1);
}

#[test]
fn the_metadata_server_is_asked_when_there_is_no_file_at_all() {
    let google = Arc::new(Issuer::es256("g"));
    let ours = Arc::clone(&google);
    let metadata = WebServer::answering(move |_| {
        answer(
            "200 OK",
            "Metadata-Flavor: Google\r\n",
            &ours.token(&claims(EMAIL, json!({"exp": now() + 3600}))),
        )
    });
    let gateway = remembering();
    let home = Scratch::new();
    let mut command = Command::new(program("wsgate-client"));
    command.env_remove("GOOGLE_APPLICATION_CREDENTIALS").env("HOME", home.path());
    command.env("GCE_METADATA_HOST", metadata.authority());
    let map = format!("127.0.0.1:0,{}\n", gateway.url());
    let client = Client::from_command(command, &map, &["--iap-client-id", "123-abc"]);
    fails(&client, "gateway answered 404");
    verified(sent(&gateway, "Authorization").strip_prefix("Bearer ").unwrap(), &google);
    let asked = metadata.asked();
    let identity = asked.iter().find(|asked| asked.head[0].contains("/identity?")).unwrap();
    let asked_for = identity.head[0].replace("%2D", "-").replace("%2E", ".");
    assert!(asked_for.contains(&format!("audience={CLIENT_ID}&")), "{identity:?}");
    assert!(identity.head[0].contains("format=full"), "{identity:?}");
    assert_eq!(identity.header("Metadata-Flavor"), Some("Google"));
}

#[test]
fn iap_impersonate_asks_as_the_user_for_a_token_of_the_account() {
    let google = Arc::new(Issuer::es256("g"));
    let ours = Arc::clone(&google);
    let service = WebServer::answering(move |asked| {
        let body = match asked.head[0].contains("generateIdToken") {
            true => json!({"token": ours.token(&claims(EMAIL, json!({"exp": now() + 3600})))}),
            false => json!({"access_token": "swordfish", "expires_in": 3600, "token_type": "Bearer"}),
        };
        answer("200 OK", "Content-Type: application/json\r\n", &body.to_string())
    });
    let user = json!({
        "type": "authorized_user", "client_id": "gcloud", "client_secret": "sesame",
        "refresh_token": "hush", "token_uri": service.url("/token"),
    });
    let dir = Scratch::new();
    let gateway = remembering();
    let mut command = Command::new(program("wsgate-client"));
    command.env("GOOGLE_APPLICATION_CREDENTIALS", dir.write("user.json", user.to_string()));
    command.env("WSGATE_IAM_CREDENTIALS", service.url(""));
    let flags = ["--iap-client-id", "123-abc", "--iap-impersonate", EMAIL];
    let client = Client::from_command(command, &format!("127.0.0.1:0,{}\n", gateway.url()), &flags);
    fails(&client, "gateway answered 404");
    verified(sent(&gateway, "Authorization").strip_prefix("Bearer ").unwrap(), &google);
    let asked = service.asked();
    assert!(asked[0].body.contains("refresh_token=hush"), "{asked:?}");
    assert_eq!(asked[1].header("Authorization"), Some("Bearer swordfish"));
    let question: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!(question, json!({"audience": CLIENT_ID, "includeEmail": true}));
    let stderr = client.process.stderr();
    assert!(!["swordfish", "sesame", "hush"].iter().any(|secret| stderr.contains(secret)), "{stderr}");
}

#[test]
fn iap_self_signed_makes_the_token_itself_for_the_resource() {
    let robot = Issuer::new(NewKey::Rsa2048, "robot-1");
    let endpoint = WebServer::answering(|_| answer("500 Internal Server Error", "", ""));
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    let client = Client::start(&gateway.url(), &["--iap-credential", &file, "--iap-self-signed"]);
    fails(&client, "gateway answered 404");
    let bearer = sent(&gateway, "Authorization");
    let claims = verified(bearer.strip_prefix("Bearer ").unwrap(), &robot);
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(EMAIL), &json!(EMAIL)));
    let audience = claims["aud"].as_str().unwrap();
    assert!(gateway.url().starts_with(audience.trim_end_matches("/*")), "the resource, not {audience}");
    assert!(endpoint.asked().is_empty(), "nobody is asked");
}

#[test]
fn iap_and_private_key_together_go_into_two_headers() {
    let (robot, google) = (Issuer::new(NewKey::Rsa2048, "robot-1"), Arc::new(Issuer::es256("g")));
    let own = Issuer::es256("own");
    let endpoint = endpoint(Arc::clone(&google), 3600);
    let dir = Scratch::new();
    let file = account(&dir, &robot, &endpoint.url("/token"));
    let gateway = remembering();
    let iap = ["--iap-credential", &file, "--iap-client-id", "123-abc"];
    let key = ["--private-key", &own.private(), "--private-key-user", "alice"];
    let client = Client::start(&gateway.url(), &[&iap[..], &key].concat());
    fails(&client, "gateway answered 404");
    let bearer = |name: &str| sent(&gateway, name).strip_prefix("Bearer ").unwrap().to_owned();
    assert_eq!(verified(&bearer("Proxy-Authorization"), &google)["sub"], EMAIL);
    assert_eq!(verified(&bearer("Authorization"), &own)["sub"], "alice");
}

#[test]
fn credentials_that_exclude_each_other_are_an_error_at_start() {
    let (own, dir) = (Issuer::es256("own"), Scratch::new());
    let map = dir.write("client.map", "127.0.0.1:0,http://127.0.0.1:1/proxy/x\n");
    let (key, file) = (own.private(), dir.write("token", "x"));
    for flags in [
        &["--private-key", &key, "--token-command", "true"][..],
        &["--private-key", &key, "--token-file", &file],
        &["--token-command", "true", "--token-file", &file],
        &["-H", "Authorization: Bearer x", "--token-file", &file],
        &["--iap-self-signed"],
    ] {
        let mut command = Command::new(program("wsgate-client"));
        command.env_remove("GOOGLE_APPLICATION_CREDENTIALS").env("HOME", Path::new("/nonexistent"));
        let mut process = Process::spawn("wsgate-client", command.args(["--map", &map]).args(flags));
        let status = process.wait(Duration::from_secs(10));
        let stderr = process.stderr();
        assert_eq!(status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(!stderr.contains("unexpected argument"), "{flags:?}: {stderr}");
    }
}
