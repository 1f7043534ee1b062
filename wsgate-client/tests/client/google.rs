//! Identity tokens from whom the flags and the environment name: Google's services, made by hand.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use token::{NewKey, PrivateKey};
use tokio::io::AsyncReadExt;

use crate::client::{Client, configured_in};
use crate::gateway::{Asked, Gateway};
use crate::iap::{id_token, verified_by};
use crate::soon;

const ACCOUNT: &str = "gate@project.iam.example.com";
const AUDIENCE: &str = "123-abc.apps.googleusercontent.com";

fn write(files: &TempDir, name: &str, text: &str) -> String {
    let path = files.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn user(endpoint: &Gateway) -> Value {
    json!({
        "type": "authorized_user", "client_id": "desk.example", "client_secret": "sesame-1",
        "refresh_token": "1//sesame-2", "quota_project_id": "project",
        "token_uri": format!("http://{}/token", endpoint.address()),
    })
}

/// Takes a request, answers it with 200, and gives it with its body.
async fn answers(endpoint: &Gateway, body: &str) -> (Asked<tokio::net::TcpStream>, String) {
    answers_with(endpoint, "200 OK", body).await
}

async fn answers_with(
    endpoint: &Gateway,
    status: &str,
    body: &str,
) -> (Asked<tokio::net::TcpStream>, String) {
    let mut asked = endpoint.asked().await;
    let length = asked.values("content-length").first().map_or(0, |length| length.parse().unwrap());
    let mut question = vec![0; length];
    soon(asked.stream.read_exact(&mut question)).await.unwrap();
    asked.answer(&format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    (asked, String::from_utf8(question).unwrap())
}

fn map(files: &TempDir) -> String {
    write(files, "map", "127.0.0.1:0,http://gw/\n")
}

#[tokio::test]
async fn the_metadata_server_is_asked_if_nothing_else_is_named() {
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let host = endpoint.address().to_string();
    let flags = ["--iap-client-id", "123-abc"];
    let client = Client::start_in(&gateway.url(), &flags, &[("GCE_METADATA_HOST", &host)]).await;
    let _local = client.connect().await;
    let token = id_token();
    let (asked, _) = answers(&endpoint, &format!("{token}\n")).await;
    let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
    let audience = "123%2Dabc%2Eapps%2Egoogleusercontent%2Ecom";
    assert!(asked.head.starts_with(&format!("GET {path}?audience={audience}&format=full HTTP/1.1\r\n")));
    assert_eq!(asked.values("metadata-flavor"), ["Google"]);
    assert_eq!(gateway.asked().await.values("authorization"), [format!("Bearer {token}")]);
    assert!(!client.logs.text().contains(&token));
}

#[tokio::test]
async fn without_a_metadata_server_the_error_says_what_to_give() {
    let files = tempfile::tempdir().unwrap();
    let endpoint = Gateway::new().await;
    let host = endpoint.address().to_string();
    let first = |variable: &'static str, host: &str| {
        let flags = ["--iap-client-id", "x"];
        configured_in(Path::new(&map(&files)), &flags, &[(variable, host)])
    };
    let config = first("GCE_METADATA_HOST", &host).unwrap();
    let (result, _) =
        tokio::join!(config.first_token(), answers_with(&endpoint, "404 Not Found", "no account"));
    let error = format!("{:#}", result.unwrap_err());
    assert_eq!(error, format!("no identity token from {host}: it answered 404 Not Found: no account"));
    let config = first("GCE_METADATA_HOST", &host).unwrap();
    let (result, _) = tokio::join!(config.first_token(), answers(&endpoint, "<html>eyJ</html>"));
    assert!(format!("{:#}", result.unwrap_err()).contains("has characters that no token has"));
    drop(endpoint);
    let error = format!("{:#}", first("GCE_METADATA_HOST", &host).unwrap().first_token().await.unwrap_err());
    assert!(error.contains("no metadata server here") && error.contains("--iap-impersonate"), "{error}");
    // Nothing is asked in the clear elsewhere.
    let config = first("GCE_METADATA_HOST", "192.0.2.1").unwrap();
    let error = format!("{:#}", config.first_token().await.unwrap_err());
    assert!(error.contains("192.0.2.1 is not on this machine"), "{error}");
    assert!(first("GCE_METADATA_HOST", "a b").is_err());
}

#[tokio::test]
async fn a_silent_metadata_server_is_given_up_soon() {
    let files = tempfile::tempdir().unwrap();
    let endpoint = Gateway::new().await;
    let host = endpoint.address().to_string();
    let environment = [("GCE_METADATA_HOST", host.as_str())];
    let config = configured_in(Path::new(&map(&files)), &["--iap-client-id", "x"], &environment).unwrap();
    let begun = std::time::Instant::now();
    let (result, _asked) = tokio::join!(config.first_token(), endpoint.asked());
    let error = format!("{:#}", result.unwrap_err());
    assert!(error.contains("no answer within 3s"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn the_environment_names_a_service_account() {
    let files = tempfile::tempdir().unwrap();
    let (endpoint, gateway) = (Gateway::new().await, Gateway::new().await);
    let key = PrivateKey::generate(NewKey::Rsa2048).unwrap();
    let account = json!({
        "type": "service_account", "private_key_id": "k", "private_key": key.to_pem().unwrap(),
        "client_email": ACCOUNT, "token_uri": format!("http://{}/token", endpoint.address()),
    });
    let account = write(&files, "account.json", &account.to_string());
    let environment = [("GOOGLE_APPLICATION_CREDENTIALS", account.as_str())];
    let client = Client::start_in(&gateway.url(), &["--iap-client-id", "123-abc"], &environment).await;
    let _local = client.connect().await;
    let token = id_token();
    let (_, form) = answers(&endpoint, &json!({"id_token": token}).to_string()).await;
    let assertion = form.rsplit_once("&assertion=").unwrap().1;
    assert_eq!(verified_by(&key, assertion).claims["target_audience"], AUDIENCE);
    assert_eq!(gateway.asked().await.values("authorization"), [format!("Bearer {token}")]);

    // The same file signs for the gateway's URL itself, and nobody is asked.
    let client = Client::start_in(&gateway.url(), &["--iap-self-signed"], &environment).await;
    let _local = client.connect().await;
    let asked = gateway.asked().await;
    let claims = verified_by(&key, asked.values("authorization")[0].strip_prefix("Bearer ").unwrap());
    assert_eq!(claims.claims["aud"], gateway.url());
    assert_eq!((&claims.claims["iss"], claims.subject.as_str()), (&json!(ACCOUNT), ACCOUNT));
    let pem = write(&files, "key", &key.to_pem().unwrap());
    let flags = ["--iap-self-signed", "--iap-credential", &account, "--private-key", &pem];
    let client = Client::start(&gateway.url(), &flags).await;
    let _local = client.connect().await;
    let asked = gateway.asked().await;
    let in_header = |name| verified_by(&key, asked.values(name)[0].strip_prefix("Bearer ").unwrap()).subject;
    assert_eq!(in_header("proxy-authorization"), ACCOUNT);
    assert_eq!(in_header("authorization"), "private-key-user");
    assert!(endpoint.is_left_alone());
}

#[tokio::test]
async fn a_user_impersonates_a_service_account() {
    let files = tempfile::tempdir().unwrap();
    let (endpoint, iam, gateway) = (Gateway::new().await, Gateway::new().await, Gateway::new().await);
    let directory = files.path().join(".config/gcloud");
    std::fs::create_dir_all(&directory).unwrap();
    let json = user(&endpoint).to_string();
    std::fs::write(directory.join("application_default_credentials.json"), json).unwrap();
    let base = format!("http://{}/", iam.address());
    let home = files.path().to_str().unwrap();
    let environment = [("HOME", home), ("WSGATE_IAM_CREDENTIALS", base.as_str())];
    let flags = ["--iap-client-id", "123-abc", "--iap-impersonate", ACCOUNT];
    let client = Client::start_in(&gateway.url(), &flags, &environment).await;
    let _local = client.connect().await;
    let (asked, form) = answers(&endpoint, r#"{"access_token":"ya29.sesame-3","expires_in":3599}"#).await;
    assert!(asked.head.starts_with("POST /token HTTP/1.1\r\n"));
    let expected = "grant_type=refresh_token&client_id=desk.example&client_secret=sesame-1\
                    &refresh_token=1%2F%2Fsesame-2";
    assert_eq!(form, expected);
    let token = id_token();
    let (asked, question) = answers(&iam, &json!({"token": token}).to_string()).await;
    let path = format!("POST /v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken HTTP/1.1\r\n");
    assert!(asked.head.starts_with(&path), "{}", asked.head);
    assert_eq!(asked.values("authorization"), ["Bearer ya29.sesame-3"]);
    assert_eq!(asked.values("x-goog-user-project"), ["project"]);
    let question: Value = serde_json::from_str(&question).unwrap();
    assert_eq!(question, json!({"audience": AUDIENCE, "includeEmail": true}));
    assert_eq!(gateway.asked().await.values("authorization"), [format!("Bearer {token}")]);
    let logs = client.logs.text();
    assert!(logs.contains(ACCOUNT) && !logs.contains("sesame") && !logs.contains(&token), "{logs}");
}

#[tokio::test]
async fn a_users_errors_name_who_refused_and_why() {
    let files = tempfile::tempdir().unwrap();
    let (endpoint, iam) = (Gateway::new().await, Gateway::new().await);
    let json = write(&files, "user.json", &user(&endpoint).to_string());
    let base = format!("http://{}", iam.address());
    let environment = [("GOOGLE_APPLICATION_CREDENTIALS", json.as_str()), ("WSGATE_IAM_CREDENTIALS", &base)];
    let map = map(&files);
    let flags = ["--iap-client-id", "x", "--iap-impersonate", ACCOUNT];
    let config = || configured_in(Path::new(&map), &flags, &environment).unwrap();
    let refusal = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    let expired = config();
    let (result, _) =
        tokio::join!(expired.first_token(), answers_with(&endpoint, "400 Bad Request", refusal));
    let error = format!("{:#}", result.unwrap_err());
    let from = format!("no access token from {}: it answered 400", endpoint.address());
    assert!(error.starts_with(&from) && error.contains("expired or revoked"), "{error}");
    let denied = config();
    let refusal = r#"{"error":{"code":403,"message":"Permission denied on resource"}}"#;
    let (result, ..) = tokio::join!(
        denied.first_token(),
        answers(&endpoint, r#"{"access_token":"ya29.sesame"}"#),
        answers_with(&iam, "403 Forbidden", refusal)
    );
    let error = format!("{:#}", result.unwrap_err());
    let from = format!("no identity token from {}: it answered 403", iam.address());
    assert!(error.starts_with(&from) && error.ends_with("Permission denied on resource"), "{error}");
    assert!(!format!("{denied:?}{expired:?}").contains("sesame"));
}

#[tokio::test]
async fn credentials_that_cannot_work_are_refused_at_start() {
    let files = tempfile::tempdir().unwrap();
    let endpoint = Gateway::new().await;
    let map = map(&files);
    let good = user(&endpoint).to_string();
    let at = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    write(&files, "user", &good);
    write(&files, "account", r#"{"type":"service_account"}"#);
    write(&files, "external", r#"{"type":"external_account"}"#);
    write(&files, "plain", &good.replace("http://127.0.0.1", "http://token.example.com"));
    write(&files, "part", &good.replace("refresh_token", "sesame"));
    let impersonate = ["--iap-client-id", "x", "--iap-impersonate", ACCOUNT];
    let alone = ["--iap-client-id", "x"];
    let slash = ["--iap-client-id", "x", "--iap-impersonate", "a/../b"];
    for (flags, file, says) in [
        (&alone[..], "user", "name a service account that the user may impersonate"),
        (&alone, "external", "not the key of a service account"),
        (&alone, "none", "No such file"),
        (&["--iap-self-signed"], "user", "not the key of a service account"),
        (&["--iap-client-id", ""], "user", "--iap-client-id is empty"),
        (&impersonate, "account", "--iap-impersonate is for a user's credentials"),
        (&impersonate, "plain", "token_uri is not https"),
        (&impersonate, "part", "no text refresh_token"),
        (&slash, "user", "give the e-mail address"),
    ] {
        let environment = [("GOOGLE_APPLICATION_CREDENTIALS", at(file))];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let error = format!("{:#}", configured_in(Path::new(&map), flags, &environment).unwrap_err());
        assert!(error.contains(says) && !error.contains("sesame"), "{file}: {error}");
    }
    for (flags, environment, says) in [
        (&["--iap-self-signed"][..], &[][..], "needs a service account's key"),
        (&impersonate, &[], "HOME is not set"),
        (
            &impersonate,
            &[("HOME", "/nowhere")],
            "/nowhere/.config/gcloud/application_default_credentials.json",
        ),
        (&impersonate, &[("CLOUDSDK_CONFIG", "/nowhere")], "/nowhere/application_default_credentials.json"),
        (
            &impersonate,
            &[
                ("GOOGLE_APPLICATION_CREDENTIALS", &at("user")),
                ("WSGATE_IAM_CREDENTIALS", "https://iam.example.com"),
            ],
            "WSGATE_IAM_CREDENTIALS is not on this machine",
        ),
        (&alone, &[("HTTPS_PROXY", "socks5://al:sesame@proxy")], "HTTPS_PROXY"),
    ] {
        let error = format!("{:#}", configured_in(Path::new(&map), flags, environment).unwrap_err());
        assert!(error.contains(says) && !error.contains("sesame"), "{error}");
    }
}
