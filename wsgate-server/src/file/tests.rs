use super::*;
use crate::rules::{Pattern, Proven, Rule};
use proptest::prelude::*;
use serde_json::Map;

fn parse(text: &str) -> Result<File> {
    File::parse(text, Path::new("/etc/wsgate/server.toml"))
}

const FULL: &str = r#"
listen = "[::1]:8086"
status_listen = "unix:wsgate.sock"
map = "map.txt"
public_key = ["a.pem", "/keys/b.pem"]
jwt_freshness = "30m"
iap_audience = ["/projects/1/global/backendServices/2"]
iap_jwks = "https://keys.example.com/jwk"
allow_anonymous = false
allowed_origins = ["https://tools.example.com"]
dial_timeout = "5s"
handshake_timeout = "0"
write_timeout = "1m30s"
shutdown_timeout = "1h"
idle_timeout = "2h"
max_lifetime = "24h"
resume_grace = "15m"
no_resume = false
window = "2MiB"
max_detached = 50
max_detached_bytes = "64MiB"
buffer_limit = "512MiB"
websocket_lifetime = "1h"
reauth_interval = "12h"
handover_dir = "handover"
max_connections = 2000
max_connections_per_user = 20
tls_cert = "tls/cert.pem"
tls_key = "tls/key.pem"
client_ca = "tls/ca.pem"
proxy_protocol_in = true
trusted_proxy = ["10.0.0.0/8", "2001:db8::/32"]
enable_compression = true
dump_tcp = 2
audit_log = "/var/log/wsgate.jsonl"
pairing = "any"

[[destination]]
name = "mysql"
upstream = "10.0.3.7:3306"
allow = ["alice", "*@example.com", { claim = "groups", contains = "dba" }, { sub = "batch-*" }]
max_connections = 50
max_connections_per_user = 5
grace = "15s"
proxy_protocol = "v2"

[[destination]]
name = "ssh"
upstream = "unix:/run/ssh.sock"

[[key]]
file = "batch.pem"
kid = "k1"
subjects = ["batch-*"]

[[key]]
file = "../c.pem"

[[user]]
email = "alice@example.com"
subjects = ["alice", "batch-*"]
"#;

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

#[test]
fn what_the_flags_say_is_read() {
    let file = parse(FULL).unwrap();
    let duration = |text: &str| Some(text.parse::<GoDuration>().unwrap());
    let path = |name: &str| Some(Path::new("/etc/wsgate").join(name));
    let expected = File {
        listen: Some("[::1]:8086".parse().unwrap()),
        status_listen: Some("unix:/etc/wsgate/wsgate.sock".parse().unwrap()),
        map: path("map.txt"),
        public_key: vec!["/etc/wsgate/a.pem".into(), "/keys/b.pem".into()],
        jwt_freshness: duration("30m"),
        iap_audience: vec!["/projects/1/global/backendServices/2".into()],
        iap_jwks: Some("https://keys.example.com/jwk".parse().unwrap()),
        allow_anonymous: Some(false),
        allowed_origin: vec!["https://tools.example.com".into()],
        dial_timeout: duration("5s"),
        handshake_timeout: duration("0"),
        write_timeout: duration("90s"),
        shutdown_timeout: duration("1h"),
        idle_timeout: duration("2h"),
        max_lifetime: duration("24h"),
        resume_grace: duration("15m"),
        no_resume: Some(false),
        window: Some(Window(2 << 20)),
        max_detached: Some(50),
        max_detached_bytes: Some(ByteSize(64 << 20)),
        buffer_limit: Some(ByteSize(512 << 20)),
        websocket_lifetime: duration("1h"),
        reauth_interval: duration("12h"),
        handover_dir: path("handover"),
        max_connections: Some(2000),
        max_connections_per_user: Some(20),
        tls_cert: path("tls/cert.pem"),
        tls_key: path("tls/key.pem"),
        client_ca: path("tls/ca.pem"),
        proxy_protocol_in: Some(true),
        trusted_proxy: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        enable_compression: Some(true),
        dump_tcp: Some(2),
        audit_log: Some("/var/log/wsgate.jsonl".into()),
        pairing: Together::Any,
        destinations: file.destinations.clone(),
        keys: file.keys.clone(),
        users: file.users.clone(),
    };
    assert_eq!(file, expected);
}

#[test]
fn tables_are_read() {
    let file = parse(FULL).unwrap();
    let allow = vec![
        Rule::Bare(pattern("alice")),
        Rule::Bare(pattern("*@example.com")),
        Rule::Contains { claim: "groups".into(), value: "dba".into() },
        Rule::Sub(pattern("batch-*")),
    ];
    let mysql = Destination {
        name: "mysql".into(),
        line: file.destinations[0].line,
        upstream: "10.0.3.7:3306".parse().unwrap(),
        allow: Some(allow),
        max_connections: Some(50),
        max_connections_per_user: Some(5),
        grace: "15s".parse().ok(),
        proxy_protocol: Some(relay::proxy::Version::V2),
    };
    let ssh = Destination {
        name: "ssh".into(),
        line: file.destinations[1].line,
        upstream: "unix:/run/ssh.sock".parse().unwrap(),
        allow: None,
        max_connections: None,
        max_connections_per_user: None,
        grace: None,
        proxy_protocol: None,
    };
    assert_eq!(file.destinations, [mysql, ssh]);
    let batch = Key {
        file: "/etc/wsgate/batch.pem".into(),
        kid: Some("k1".into()),
        subjects: Some(vec![pattern("batch-*")]),
    };
    let other = Key { file: "/etc/wsgate/../c.pem".into(), kid: None, subjects: None };
    assert_eq!(file.keys, [batch, other]);
    let subjects = vec![pattern("alice"), pattern("batch-*")];
    assert_eq!(file.users, [User { email: "alice@example.com".into(), subjects }]);
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "# nothing\n", "\r\n"] {
        assert_eq!(parse(text).unwrap(), File::default());
    }
}

#[test]
fn rules_and_pairs_follow_from_it() {
    let file = parse(FULL).unwrap();
    let claims = Map::new();
    let caller = |sub| Proven { sub: Some(sub), email: Some("alice@example.com"), claims: &claims };
    let by_sub = file.rules(Bare::Sub);
    for (destination, sub, allowed) in [
        ("mysql", "alice", true),
        ("mysql", "batch-1", true),
        ("mysql", "eve", false),
        ("ssh", "eve", true),
        ("of-the-map", "eve", true),
    ] {
        assert_eq!(by_sub.decide(destination, &caller(sub)).is_ok(), allowed, "{destination} {sub}");
    }
    assert!(file.rules(Bare::Email).decide("mysql", &caller("eve")).is_ok(), "by e-mail");

    assert_eq!(file.pairing(), Pairing::Any);
    let strict = parse(&FULL.replace("pairing = \"any\"", "")).unwrap().pairing();
    assert!(strict.decide("alice@example.com", "batch-1").is_ok());
    assert!(strict.decide("alice@example.com", "eve").is_err());
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    for (text, file, path) in [
        ("map = 'm'", "/etc/wsgate/server.toml", "/etc/wsgate/m"),
        ("map = 'm'", "conf/server.toml", "conf/m"),
        ("map = 'm'", "server.toml", "m"),
        ("map = '/m'", "conf/server.toml", "/m"),
        ("map = '../m'", "conf/server.toml", "conf/../m"),
    ] {
        let map = File::parse(text, Path::new(file)).unwrap().map;
        assert_eq!(map, Some(path.into()), "{text} in {file}");
    }
    let listen = parse("listen = 'unix:run.sock'").unwrap().listen;
    assert_eq!(listen, Some(ListenAddr::Unix("/etc/wsgate/run.sock".into())));
    let jwks = parse("iap_jwks = 'jwks.json'").unwrap().iap_jwks;
    assert_eq!(jwks, Some(Jwks::File("/etc/wsgate/jwks.json".into())));
}

/// A destination of two good lines, with another line.
fn destination(line: &str) -> String {
    format!("[[destination]]\nname = 'a'\nupstream = 'h:1'\n{line}\n")
}

#[test]
fn errors_name_file_and_line() {
    let twice = destination("") + &destination("");
    let users = "[[user]]\nemail = 'a'\nsubjects = []\n".repeat(2);
    for (text, line, says) in [
        ("\n\nlisten = \":8086\"\nlisten = ':1'", 4, "duplicate key"),
        ("\nlisten = ':http-nonsense'", 2, ":http-nonsense"),
        ("listen = 8086", 1, "expected a string"),
        ("\nlistne = ':8086'", 2, "unknown field `listne`"),
        ("\n\nmap 'm'", 3, ""),
        ("dial_timeout = '10'", 1, "missing unit, write 10s"),
        ("dial_timeout = 10", 1, "expected a string"),
        ("allow_anonymous = 'yes'", 1, "expected a boolean"),
        ("public_key = 'a.pem'", 1, "expected a sequence"),
        ("trusted_proxy = []", 1, "the list is empty"),
        ("trusted_proxy = [\n'10.0.0.0/8',\n'10.0.0.0/33']", 3, "\"10.0.0.0/33\": invalid"),
        ("allowed_origin = [\n'tools.example.com']", 2, "write https://host"),
        ("allowed_origin = []\nallowed_origins = []", 1, "duplicate field `allowed_origin`"),
        ("iap_jwks = 'https://a b'", 1, "bad URL"),
        ("max_connections = 0", 1, "from 1 to 1000000"),
        ("max_connections = 1000001", 1, "from 1 to 1000000"),
        ("max_connections = -1", 1, "from 1 to 1000000"),
        ("window = '1KiB'", 1, "from 64KiB to 16MiB"),
        ("buffer_limit = '1 MB'", 1, "bad size"),
        ("max_detached = -1", 1, "expected usize"),
        ("dump_tcp = 3", 1, "0, 1 or 2"),
        ("pairing = 'none'", 1, "unknown variant `none`"),
        ("\n[[destination]]\nname = 'a'\n", 2, "missing field `upstream`"),
        ("[[destination]]\nname = ''", 2, "the name is empty"),
        ("[[destination]]\nname = ' a'", 2, "space"),
        ("[[destination]]\nname = \"a\\u0007\"", 2, "control character"),
        ("[[destination]]\nname = 'a'\nupstream = 'h'", 3, "no port"),
        (&destination("allow = ['a',\n'']"), 5, "empty"),
        (&destination("allow = 'a'"), 4, "expected a sequence"),
        (&destination("allow = [{ claim = 'a' }]"), 4, "a rule is"),
        (&destination("allow = [{ sbu = 'a' }]"), 4, "unknown field `sbu`"),
        (&destination("max_connections = 0"), 4, "from 1 to"),
        (&destination("proxy_protocol = 'v3'"), 4, "v1 and v2"),
        (&destination("alow = ['a']"), 4, "unknown field `alow`"),
        (&twice, 6, "destination \"a\" is already in line 2; remove one of them"),
        ("[[key]]\nkid = 'a'", 1, "missing field `file`"),
        ("[[key]]\nfile = 'a'\nsubjects = [\n'a',\n' b']", 5, "bad pattern \" b\""),
        (&users, 5, "user \"a\" is already in line 2"),
    ] {
        let error = format!("{:#}", parse(text).expect_err(text));
        let place = format!("/etc/wsgate/server.toml:{line}: ");
        assert!(error.starts_with(&place) && error.contains(says), "{text}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    let error = format!("{:#}", File::load(Path::new("/nonexistent/server.toml")).unwrap_err());
    assert!(error.starts_with("--config /nonexistent/server.toml: "), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        cut in 0..FULL.len(),
        length in 0..20usize,
        noise in "[a-z\\[\\]{}='\"\n#.0-9é]{0,6}",
    ) {
        let end = (cut + length).min(FULL.len());
        let text = [&FULL[..cut], &noise, &FULL[end..]].concat();
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().starts_with("/etc/wsgate/server.toml:"));
        }
    }
}

#[test]
fn a_key_set_comes_over_tls_or_from_this_host() {
    for (text, fine) in [
        ("https://keys.example.com/jwks", true),
        ("http://127.0.0.1:8080/jwks", true),
        ("http://localhost/jwks", true),
        ("http://[::1]/jwks", true),
        ("http://192.0.2.1/jwks", false),
        ("http://keys.example.com/jwks", false),
        ("keys.json", true),
    ] {
        assert_eq!(text.parse::<Jwks>().is_ok(), fine, "{text}");
    }
}
