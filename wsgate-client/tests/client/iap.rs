//! Identity tokens of a service account, from a token endpoint made by hand.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tempfile::TempDir;
use token::{Key, KeySet, NewKey, Policy, PrivateKey, PublicKey, Verified, verify};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::certificates::Authority;
use crate::client::{Client, configured};
use crate::gateway::{Asked, Gateway};
use crate::soon;

const EMAIL: &str = "batch@project.iam.example.com";

/// A service account's key file for `endpoint`.
struct Account {
    key: PrivateKey,
    files: TempDir,
    token_uri: String,
}

impl Account {
    fn new(endpoint: &Gateway) -> Self {
        Self::at(format!("http://{}/token", endpoint.address()))
    }

    fn at(token_uri: String) -> Self {
        let key = PrivateKey::generate(NewKey::Rsa2048).unwrap();
        let account = Self { key, files: tempfile::tempdir().unwrap(), token_uri };
        let json = json!({
            "type": "service_account", "project_id": "project", "private_key_id": "the-kid",
            "private_key": account.key.to_pem().unwrap(), "client_email": EMAIL,
            "token_uri": account.token_uri,
        });
        std::fs::write(account.path(), json.to_string()).unwrap();
        std::fs::write(account.files.path().join("map"), "127.0.0.1:0,http://gw/").unwrap();
        account
    }

    fn path(&self) -> PathBuf {
        self.files.path().join("account.json")
    }

    fn flags(&self, client_id: &'static str) -> [String; 4] {
        let path = self.path().to_str().unwrap().to_owned();
        ["--iap-credential".into(), path, "--iap-client-id".into(), client_id.into()]
    }

    fn verified(&self, assertion: &str) -> Verified {
        verified_by(&self.key, assertion)
    }
}

pub(crate) fn verified_by(key: &PrivateKey, token: &str) -> Verified {
    let public = PublicKey::from_pem(key.public_pem().as_bytes()).unwrap();
    let keys = KeySet::new(vec![Key::from(public)]).unwrap();
    verify(token, &keys, &Policy::default(), SystemTime::now()).unwrap()
}

pub(crate) fn id_token() -> String {
    id_token_until(SystemTime::now() + Duration::from_secs(3600))
}

fn id_token_until(time: SystemTime) -> String {
    let exp = time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let payload = URL_SAFE_NO_PAD.encode(json!({"exp": exp}).to_string());
    format!("eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln")
}

/// Takes a request, answers it, and gives the head and the assertion.
async fn answers(endpoint: &Gateway, status: &str, body: &str) -> (String, String) {
    answered(endpoint.asked().await, status, body).await
}

async fn answered<S: AsyncRead + AsyncWrite + Unpin>(
    mut asked: Asked<S>,
    status: &str,
    body: &str,
) -> (String, String) {
    let length: usize = asked.values("content-length")[0].parse().unwrap();
    let mut form = vec![0; length];
    soon(asked.stream.read_exact(&mut form)).await.unwrap();
    asked.answer(&format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    let form = String::from_utf8(form).unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    (asked.head, form.strip_prefix(grant).unwrap().to_owned())
}

fn strs(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn an_identity_token_is_fetched_once_and_sent() {
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let account = Account::new(&endpoint);
    let client = Client::start(&gateway.url(), &strs(&account.flags("123-abc"))).await;
    let token = id_token();
    let body = json!({"id_token": token}).to_string();
    let _one = client.connect().await;
    let (head, assertion) = answers(&endpoint, "200 OK", &body).await;
    assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
    let claims = account.verified(&assertion);
    assert_eq!((claims.subject.as_str(), claims.kid.as_deref()), (EMAIL, Some("the-kid")));
    assert_eq!(claims.claims["iss"], EMAIL);
    assert_eq!(claims.claims["aud"], account.token_uri);
    assert_eq!(claims.claims["target_audience"], "123-abc.apps.googleusercontent.com");
    assert_eq!(claims.expires.duration_since(claims.issued).unwrap(), Duration::from_secs(3600));

    let first = gateway.asked().await;
    let _two = client.connect().await;
    for asked in [first, gateway.asked().await] {
        assert_eq!(asked.values("authorization"), [format!("Bearer {token}")]);
        assert_eq!(asked.values("proxy-authorization"), Vec::<&str>::new());
    }
    assert!(endpoint.is_left_alone());
    let logs = client.logs.text();
    assert!(
        logs.contains("source=\"identity of batch@project")
            && !logs.contains(&token)
            && !logs.contains(&assertion)
    );
}

#[tokio::test]
async fn beside_a_key_it_has_a_header_of_its_own() {
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let account = Account::new(&endpoint);
    let key = account.files.path().join("key");
    std::fs::write(&key, account.key.to_pem().unwrap()).unwrap();
    let mut flags = account.flags("123-abc.apps.googleusercontent.com").to_vec();
    flags.extend(["--private-key".into(), key.to_str().unwrap().into()]);
    let client = Client::start(&gateway.url(), &strs(&flags)).await;
    let token = id_token();
    let _local = client.connect().await;
    let (_, assertion) = answers(&endpoint, "200 OK", &json!({"id_token": token}).to_string()).await;
    let audience = &account.verified(&assertion).claims["target_audience"];
    assert_eq!(audience, "123-abc.apps.googleusercontent.com", "completed only where it must be");
    let asked: Asked<_> = gateway.asked().await;
    assert_eq!(asked.values("proxy-authorization"), [format!("Bearer {token}")]);
    let signed = asked.values("authorization")[0].strip_prefix("Bearer ").unwrap();
    assert_eq!(account.verified(signed).subject, "private-key-user");

    flags.extend(["-H".into(), "Proxy-Authorization: sesame".into()]);
    let error = configured(&account.files.path().join("map"), &strs(&flags)).unwrap_err().to_string();
    assert!(error.contains("contradicts --iap-client-id"), "{error}");
}

#[tokio::test]
async fn the_endpoints_error_is_shown_at_start() {
    let endpoint = Gateway::new().await;
    let account = Account::new(&endpoint);
    let config = configured(&account.files.path().join("map"), &strs(&account.flags("x"))).unwrap();
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let (result, _) = tokio::join!(config.first_token(), answers(&endpoint, "400 Bad Request", refusal));
    assert_eq!(
        format!("{:#}", result.unwrap_err()),
        format!(
            "no identity token from {}: it answered 400 Bad Request: invalid_grant Invalid JWT Signature.",
            endpoint.address()
        )
    );
    let configured = || configured(&account.files.path().join("map"), &strs(&account.flags("x"))).unwrap();
    let expired = json!({"id_token": id_token_until(SystemTime::now())}).to_string();
    for (body, says) in [
        ("{}", "no id_token"),
        ("<html>", "no id_token"),
        (r#"{"id_token":"sesame"}"#, "the token has no exp"),
        (r#"{"id_token":["sesame"]}"#, "no id_token"),
        (&expired, "has expired already"),
        (&"x".repeat(100_000), "longer than 65536 bytes"),
    ] {
        let config = configured();
        let (result, _) = tokio::join!(config.first_token(), answers(&endpoint, "200 OK", body));
        let error = format!("{:#}", result.unwrap_err());
        assert!(error.contains(says) && !error.contains("sesame"), "{error}");
    }
    let address = endpoint.address();
    drop(endpoint);
    let error = format!("{:#}", configured().first_token().await.unwrap_err());
    assert!(
        error.contains(&format!("no connection to 127.0.0.1 at {address}: Connection refused")),
        "{error}"
    );
}

#[tokio::test]
async fn trouble_of_the_endpoint_is_waited_out() {
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let account = Account::new(&endpoint);
    let client = Client::start(&gateway.url(), &strs(&account.flags("x"))).await;
    let _local = client.connect().await;
    answers(&endpoint, "503 Service Unavailable", "").await;
    answers(&endpoint, "200 OK", &json!({"id_token": id_token()}).to_string()).await;
    gateway.asked().await;
    assert!(client.logs.line("trying again").await.contains("it answered 503"));
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_expiry_and_an_outage_is_not_noticed() {
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let account = Account::new(&endpoint);
    let client = Client::start(&gateway.url(), &strs(&account.flags("x"))).await;
    let sent = async || {
        let _local = client.connect().await;
        gateway.asked().await.values("authorization")[0].to_owned()
    };
    let short = id_token_until(SystemTime::now() + Duration::from_secs(6));
    let body = json!({"id_token": short}).to_string();
    let (first, _) = tokio::join!(sent(), answers(&endpoint, "200 OK", &body));
    assert_eq!(first, format!("Bearer {short}"));
    // Nobody connects now; half of its life later another is asked for.
    let pending = endpoint.asked().await;
    assert_eq!(sent().await, first, "while the answer is waited for");
    answered(pending, "503 Service Unavailable", "").await;
    let line = client.logs.line("token not renewed").await;
    assert!(line.starts_with("WARN") && line.contains("old_is_good=true") && line.contains("503"), "{line}");
    assert_eq!(sent().await, first, "after the failure");
    let token = id_token();
    answers(&endpoint, "200 OK", &json!({"id_token": token}).to_string()).await;
    while sent().await == first {}
    assert_eq!(sent().await, format!("Bearer {token}"));
    let logs = client.logs.text();
    assert!(!logs.contains(&token) && !logs.contains(&short));
}

#[tokio::test]
async fn a_token_is_fetched_under_tls_and_through_the_proxy_of_the_environment() {
    let (authority, proxy, gateway) = (Authority::new(), Gateway::new().await, Gateway::new().await);
    let acceptor = authority.server("DNS:token.test");
    let account = Account::at("https://token.test/token".into());
    let (ca, proxy_url) = (authority.file(), format!("http://al:pw@{}", proxy.address()));
    let mut flags = account.flags("x").to_vec();
    flags.extend(["--ca".into(), ca.to_str().unwrap().into()]);
    let environment = [("HTTPS_PROXY", proxy_url.as_str())];
    let client = Client::start_in(&gateway.url(), &strs(&flags), &environment).await;
    let _local = client.connect().await;
    let mut asked = proxy.asked().await;
    assert!(asked.head.starts_with("CONNECT token.test:443 HTTP/1.1\r\n"), "{}", asked.head);
    assert_eq!(asked.values("proxy-authorization"), ["Basic YWw6cHc="]);
    asked.answer("HTTP/1.1 200 OK\r\n\r\n").await;
    let asked = Asked::read(soon(acceptor.accept(asked.stream)).await.unwrap()).await;
    assert_eq!(asked.values("host"), ["token.test"]);
    let token = id_token();
    answered(asked, "200 OK", &json!({"id_token": token}).to_string()).await;
    assert_eq!(gateway.asked().await.values("authorization"), [format!("Bearer {token}")]);
}

#[tokio::test]
async fn a_file_that_is_no_key_of_a_service_account_is_refused() {
    let endpoint = Gateway::new().await;
    let account = Account::new(&endpoint);
    let good = std::fs::read_to_string(account.path()).unwrap();
    let elliptic = PrivateKey::generate(NewKey::P256).unwrap().to_pem().unwrap();
    let with = |name: &str, value: &str| {
        let mut json: serde_json::Value = serde_json::from_str(&good).unwrap();
        json[name] = value.into();
        json.to_string()
    };
    for (json, says) in [
        ("sesame".to_owned(), "line 1: no JSON"),
        ("[]".into(), "not the key of a service account"),
        (with("type", "authorized_user"), "may impersonate with --iap-impersonate"),
        (with("type", "external_account"), "not the key of a service account"),
        (good.replace("client_email", "sesame"), "no text client_email in it"),
        (with("token_uri", "http://token.example.com/"), "token_uri is not https"),
        (with("token_uri", "sesame"), "token_uri: this is no URL"),
        (with("private_key", "sesame"), "private_key: there is no PEM block"),
        (with("private_key", &elliptic), "private_key is no RSA key"),
    ] {
        std::fs::write(account.path(), json).unwrap();
        let result = configured(&account.files.path().join("map"), &strs(&account.flags("x")));
        let error = format!("{:#}", result.unwrap_err());
        assert!(error.starts_with("--iap-credential ") && error.contains(says), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}
