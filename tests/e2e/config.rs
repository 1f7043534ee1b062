//! `--config`: everything that the flags say, and who may reach what.

use std::process::Command;
use std::time::Duration;

use e2e::certificate::Authority;
use e2e::destination::Destination;
use e2e::http::{Request, Response};
use e2e::issuer::{Issuer, NewKey, claims, now};
use e2e::process::Process;
use e2e::programs::{Client, Gateway, program};
use e2e::scratch::Scratch;
use e2e::websocket::{End, WebSocket};
use serde_json::{Value, json};

fn ask(gateway: &Gateway, name: &str, authorization: &str) -> Result<WebSocket, Response> {
    let request = Request::upgrade(&format!("/proxy/{name}")).with("Authorization", authorization);
    WebSocket::try_open(gateway.address, &request)
}

/// The status and the word of the answer; 101 for a tunnel.
fn verdict(answer: Result<WebSocket, Response>) -> (u16, String) {
    answer.map_or_else(|refusal| (refusal.status, refusal.refusal().to_owned()), |_| (101, String::new()))
}

fn refused(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

fn tunnel() -> (u16, String) {
    (101, String::new())
}

#[test]
fn config_says_what_the_flags_say_and_a_flag_wins() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let config = format!(
        "public_key = [{:?}]\njwt_freshness = \"5m\"\nmax_connections = 1\n\
         [[destination]]\nname = \"db\"\nupstream = \"{}\"\n",
        issuer.public(),
        destination.address
    );
    let aged = |age: u64| format!("Bearer {}", issuer.token(&claims("alice", json!({ "iat": now() - age }))));
    let from_the_file = Gateway::configured(&config, &[]);
    assert_eq!(verdict(ask(&from_the_file, "db", &aged(400))), refused(401, "credential"));
    let open = ask(&from_the_file, "db", &aged(200)).unwrap();
    assert_eq!(verdict(ask(&from_the_file, "db", &aged(200))), refused(503, "limit"));
    drop(open);
    let from_the_flags = Gateway::configured(&config, &["--jwt-freshness", "10m", "--max-connections", "2"]);
    let _open = ask(&from_the_flags, "db", &aged(400)).unwrap();
    assert_eq!(verdict(ask(&from_the_flags, "db", &aged(400))), tunnel());
}

#[test]
fn config_that_is_wrong_is_an_error_with_its_line_and_nothing_is_bound() {
    for (line, wrong) in [
        (4, "no_such_key = 1"),
        (4, "max_connections = 0"),
        (4, "idle_timeout = \"soon\""),
        (5, "[[destination]]\nname = \"db\"\nupstream = \"127.0.0.1:2\""),
        (4, "[[destination]]\nname = \"x\"\nupstream = \"127.0.0.1:2\"\nalow = []"),
        (6, "[[destination]]\nname = \"x\"\nupstream = \"nowhere\""),
        (4, "[[key]"),
    ] {
        let scratch = Scratch::new();
        // The line that is meant is counted from the first of `wrong`, which is the fourth of the file.
        let top_level = !wrong.starts_with('[');
        let destination = "[[destination]]\nname = \"db\"\nupstream = \"127.0.0.1:1\"\n";
        let text = if top_level {
            format!("#\n#\n#\n{wrong}\n{destination}")
        } else {
            format!("{destination}{wrong}\n")
        };
        let file = scratch.write("gateway.toml", text);
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--listen", "127.0.0.1:0", "--config", &file]);
        let mut process = Process::spawn("wsgate-server", &mut command);
        let status = process.wait(Duration::from_secs(10));
        let stderr = process.stderr();
        assert_eq!(status.code(), Some(2), "{wrong}: {stderr}");
        let lines: Vec<String> = (line..line + 4).map(|line| format!("{file}:{line}")).collect();
        assert!(lines.iter().any(|place| stderr.contains(place)), "{wrong}: {stderr}");
        assert!(!stderr.contains("listening"), "{wrong}: {stderr}");
    }
}

#[test]
fn a_destination_with_allow_is_reached_only_by_those_it_names() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let upstream = destination.address;
    let config = format!(
        "public_key = [{:?}]
[[destination]]
name = \"mysql\"
upstream = \"{upstream}\"
allow = [\"alice\", \"batch-*\", {{ claim = \"groups\", contains = \"dba\" }}, {{ claim = \"level\", equals = 3 }}]
[[destination]]
name = \"nobody\"
upstream = \"{upstream}\"
allow = []
[[destination]]
name = \"everybody\"
upstream = \"{upstream}\"
",
        issuer.public()
    );
    let gateway = Gateway::configured(&config, &[]);
    let mut dialled = 0;
    for (subject, more, allowed) in [
        ("alice", json!({}), true),
        ("batch-7", json!({}), true),
        ("bob", json!({"groups": ["ops", "dba"]}), true),
        ("bob", json!({"level": 3}), true),
        ("bob", json!({}), false),
        ("Alice", json!({}), false),
        ("alice2", json!({}), false),
        ("my-batch-7", json!({}), false),
        ("bob", json!({"groups": ["ops", "dba2"]}), false),
        ("bob", json!({"groups": "xdba"}), false),
        ("bob", json!({"level": "3"}), false),
        ("bob", json!({"email": "alice"}), false),
    ] {
        let bearer = format!("Bearer {}", issuer.token(&claims(subject, more.clone())));
        let expected = if allowed { tunnel() } else { refused(403, "forbidden") };
        assert_eq!(verdict(ask(&gateway, "mysql", &bearer)), expected, "{subject} {more}");
        assert_eq!(verdict(ask(&gateway, "nobody", &bearer)), refused(403, "forbidden"), "{subject}");
        assert_eq!(verdict(ask(&gateway, "nowhere", &bearer)), refused(404, "unknown-destination"));
        dialled += usize::from(allowed);
    }
    assert_eq!(destination.dialled(), dialled, "who is refused causes no dial");
    assert_eq!(verdict(ask(&gateway, "everybody", &issuer.bearer("bob"))), tunnel());
}

#[test]
fn public_key_of_several_is_picked_by_kid_else_each_is_tried() {
    let destination = Destination::echo();
    let [one, two, three] = ["one", "two", "three"].map(Issuer::es256);
    let ed = Issuer::new(NewKey::Ed25519, "ed");
    let config = format!(
        "public_key = [{:?}, {:?}]
[[key]]
file = {:?}
kid = \"one\"
[[key]]
file = {:?}
kid = \"two\"
[[destination]]
name = \"db\"
upstream = \"{}\"
",
        three.public(),
        ed.public(),
        one.public(),
        two.public(),
        destination.address
    );
    let gateway = Gateway::configured(&config, &[]);
    let judge = |token: String| verdict(ask(&gateway, "db", &format!("Bearer {token}")));
    let good = claims("alice", json!({}));
    for issuer in [&one, &two, &three, &ed] {
        assert_eq!(judge(issuer.token(&good)), tunnel(), "{} by kid", issuer.kid);
        assert_eq!(judge(issuer.anonymous_token(&good)), tunnel(), "{} without", issuer.kid);
    }
    assert_eq!(judge(renamed(&one, "two", &good)), refused(401, "credential"), "another's kid");
}

/// A token of a key under the name of another.
fn renamed(issuer: &Issuer, kid: &str, claims: &Value) -> String {
    let scratch = Scratch::new();
    let key = scratch.write("key", issuer.private_pem());
    let key = token::PrivateKey::from_pem(&std::fs::read(key).unwrap()).unwrap();
    key.sign(Some(kid), claims).unwrap()
}

#[test]
fn a_key_with_subjects_cannot_claim_any_other_name() {
    let destination = Destination::echo();
    let [narrow, wide] = ["narrow", "wide"].map(Issuer::es256);
    let config = format!(
        "[[key]]
file = {:?}
subjects = [\"batch-*\"]
[[key]]
file = {:?}
[[destination]]
name = \"db\"
upstream = \"{}\"
",
        narrow.public(),
        wide.public(),
        destination.address
    );
    let gateway = Gateway::configured(&config, &[]);
    for (issuer, subject, allowed) in [
        (&narrow, "batch-1", true),
        (&narrow, "alice", false),
        (&narrow, "x-batch-1", false),
        (&wide, "alice", true),
        (&wide, "batch-1", true),
    ] {
        let (status, _) = verdict(ask(&gateway, "db", &issuer.bearer(subject)));
        assert_eq!(status == 101, allowed, "{} as {subject}: {status}", issuer.kid);
    }
    assert_eq!(destination.dialled(), 3);
}

#[test]
fn jwt_freshness_and_the_leeway_of_30_seconds() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let flags = ["--public-key", &issuer.public(), "--jwt-freshness", "2m"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    for (what, changes, allowed) in [
        ("fresh", json!({}), true),
        ("older, within the leeway", json!({"iat": now() - 145}), true),
        ("too old", json!({"iat": now() - 160}), false),
        ("expired, within the leeway", json!({"iat": now() - 60, "exp": now() - 20}), true),
        ("expired", json!({"iat": now() - 60, "exp": now() - 35}), false),
        ("from a clock ahead, within the leeway", json!({"iat": now() + 20}), true),
        ("from the future", json!({"iat": now() + 45}), false),
        ("not yet, within the leeway", json!({"nbf": now() + 20}), true),
        ("not yet", json!({"nbf": now() + 45}), false),
        ("without exp", json!({"exp": null}), false),
    ] {
        let bearer = format!("Bearer {}", issuer.token(&claims("alice", changes)));
        assert_eq!(ask(&gateway, "db", &bearer).is_ok(), allowed, "{what}");
    }
}

#[test]
fn config_says_what_surrounds_the_tunnels_too() {
    let destination = Destination::echo();
    let (authority, dir) = (Authority::new(), Scratch::new());
    let audit = dir.file("audit.log");
    let config = format!(
        "tls_cert = {:?}\ntls_key = {:?}\naudit_log = {audit:?}\nidle_timeout = \"1s\"\n\
         [[destination]]\nname = \"db\"\nupstream = \"{}\"\n",
        authority.certificate(),
        authority.key(),
        destination.address
    );
    let gateway = Gateway::configured(&config, &[]);
    let client = Client::start(&gateway.https("db"), &["--ca", &authority.ca()]);
    let application = client.connect();
    assert!(super::client_flags::echoes(&application));
    assert_ne!(End::of_stream(&application), End::Silence, "it was idle");
    assert_eq!(e2e::audit::events(&audit, "close", 1).len(), 1);
}
