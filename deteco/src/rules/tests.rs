use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use token::{NewKey, PrivateKey};

use super::*;

/// RSA of 512 bits
pub(crate) const WEAK: &str = "-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAPBIwpoXOdFakSb7FjNwGFj5N4+QmD9V
G3SvQexJwzcZcM0gCPud7/TMK7T/wscRghM9AIsUSqNPj0FTbGfb04ECAwEAAQ==
-----END PUBLIC KEY-----
";
const X25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAPZi9e6LDUHMlddbCDpwaUILe7QZ2g5QGVmD4LTYDigo=
-----END PUBLIC KEY-----
";
/// Of an Ed25519 key, valid in 2020
pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIG+MHICAQEwBQYDK2VwMAwxCjAIBgNVBAMMAXgwHhcNMjAwMTAxMDAwMDAwWhcN
MjEwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAF4MCowBQYDK2VwAyEANEaTu7eqtENE
dntFEygxZgfe3LEI0AHHtjecbJfwGXowBQYDK2VwA0EAlTAOc8RkGU9jWVSbVbN4
oobAp5ZstVR7vXkHJWcVGzgHxcib+cmXuTZ8OOR3SaXK6koPGskC/BJFbO+2g5Dm
Aw==
-----END CERTIFICATE-----
";

/// A directory with a configuration.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new(conf: &str) -> Self {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        scene.write("d.toml", conf);
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn options(&self) -> RulesOptions {
        RulesOptions { conf: self.path("d.toml"), freshness: None, cache_size: 10, state_dir: None }
    }

    pub(crate) fn load(&self) -> Result<Loaded> {
        load(&self.options())
    }
}

pub(crate) fn key() -> PrivateKey {
    PrivateKey::generate(NewKey::Ed25519).unwrap()
}

pub(crate) fn pem() -> String {
    key().public_pem()
}

/// A service with these public keys, and more lines.
pub(crate) fn service(id: &str, keys: &[&str], more: &str) -> String {
    let keys: String = keys.iter().map(|key| format!("'''\n{key}''',")).collect();
    let keys = if keys.is_empty() { keys } else { format!("public_keys = [{keys}]\n") };
    format!("[[services]]\nid = '{id}'\npaths = ['/{id}']\n{keys}{more}\n")
}

/// A JWK set of keys with these names.
pub(crate) fn jwks(kids: &[Option<&str>]) -> String {
    let keys: Vec<_> = kids.iter().map(|kid| key().public().to_jwk(*kid)).collect();
    json!({ "keys": keys }).to_string()
}

/// The names of a service's keys in `rules`, `-` for one without.
pub(crate) fn kids(rules: &Ruleset, id: &str) -> Vec<String> {
    let keys = rules.services[id].keys.keys();
    keys.iter().map(|key| key.kid.clone().unwrap_or("-".to_owned())).collect()
}

#[test]
fn every_table_becomes_rules() {
    let more = "scopes = ['b', 'a']\n[[services.rule]]\npath = '/r'\nmethods = ['GET']\n\
                [[services.keys]]\nkid = 'k'\nfile = 'k.pem'\nnot_after = 2999-01-01T00:00:00Z\n\
                [[services.keys]]\nkid = 'rsa'\nfile = 'rsa.pem'\nalgorithms = ['PS256']\n\
                [services.jwks]\nfile = 'set.json'\n[services.headers]\nX-A = 'a'";
    let conf =
        format!("audience = 'x'\nmax_keys_tried = 9\n{}", service("one", &[&pem(), CERTIFICATE], more));
    let scene = Scene::new(&(conf + &service("two", &[&pem()], "")));
    scene.write("k.pem", &pem());
    scene.write("rsa.pem", &PrivateKey::generate(NewKey::Rsa2048).unwrap().public_pem());
    scene.write("set.json", &jwks(&[Some("s1"), Some("s2")]));
    let options = RulesOptions { freshness: Some(Duration::from_secs(60)), ..scene.options() };
    let Loaded { ruleset, services, .. } = load(&options).unwrap();
    let one = &ruleset.services["one"];
    assert_eq!(kids(&ruleset, "one"), ["-", "-", "k", "rsa", "s1", "s2"]);
    let keys = one.keys.keys();
    let day = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!((keys[1].not_before, keys[1].not_after), (day(1_577_836_800), day(1_609_459_200)));
    assert_eq!(keys[3].algorithms, [token::Algorithm::Ps256]);
    let rules: Vec<_> = one.rules.iter().map(|rule| (rule.prefix.as_str(), rule.methods.clone())).collect();
    let get = crate::Methods::Listed(vec![crate::Method("GET".to_owned())]);
    assert_eq!(rules, [("/one", crate::Methods::Any), ("/r", get)]);
    assert_eq!(one.scopes.iter().flatten().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(one.headers, [(http::HeaderName::from_static("x-a"), "a".to_owned())]);
    assert_eq!(
        (ruleset.policy.freshness, &ruleset.policy.audience[..]),
        (options.freshness, &["x".to_owned()][..])
    );
    let from: Vec<_> = services[0].keys.iter().map(|fact| fact.from.clone()).collect();
    let file = |name: &str| scene.path(name).display().to_string();
    let named = [format!("keys[0] {}", file("k.pem")), format!("keys[1] {}", file("rsa.pem"))];
    assert_eq!(
        (&from[..2], &from[2..4]),
        (&["public_keys[0]".to_owned(), "public_keys[1]".to_owned()][..], &named[..])
    );
    assert_eq!(services.iter().map(|facts| facts.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(ruleset.services["two"].scopes.is_none());
}

#[test]
fn a_bad_key_is_named() {
    let (one, two) = (pem(), pem());
    let both = format!("{one}{two}");
    let private = key().to_pem().unwrap();
    let many: Vec<String> = (0..9).map(|_| pem()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let keys = |lines: &str| service("a", &[], &format!("[[services.keys]]\n{lines}"));
    let with = |key: &str| service("b", &[&one], "") + &service("a", &[&two, key], "");
    let dates = "not_before = 2027-01-01T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z";
    for (conf, says) in [
        (with(WEAK), "17: services[1] \"a\": public_keys[1]: this RSA key has 512 bits"),
        (with(X25519), "17: services[1] \"a\": public_keys[1]: keys of this kind"),
        (with(&private), "17: services[1] \"a\": public_keys[1]: this is a private key"),
        (with(&both), "17: services[1] \"a\": public_keys[1]: there are 2 PEM blocks"),
        (with("…\n"), "17: services[1] \"a\": public_keys[1]: there is no PEM block"),
        (
            service("a", &many, ""),
            "1: services[0] \"a\": too many keys; max_keys_tried is 8: 9 keys allow EdDSA",
        ),
        (keys("file = 'none.pem'"), "5: services[0] \"a\": keys[0] DIR/none.pem: No such file"),
        (keys("file = 'weak.pem'"), "5: services[0] \"a\": keys[0] DIR/weak.pem: this RSA key has 512 bits"),
        (keys(&format!("pem = '''{private}'''")), "5: services[0] \"a\": keys[0]: this is a private key"),
        (
            keys("file = 'good.pem'\nalgorithms = ['EdDSA',\n'RS256']"),
            "7: services[0] \"a\": keys[0]: a key of Ed25519 cannot do RS256; it can do EdDSA",
        ),
        (keys(&format!("file = 'good.pem'\n{dates}")), "7: services[0] \"a\": keys[0]: not_after is before"),
        (
            service("a", &[], "[services.jwks]\nfile = 'bad.json'"),
            "4: services[0] \"a\": jwks DIR/bad.json: key 1 (without",
        ),
        (
            service("a", &[], "[services.jwks]\nfile = 'none.json'"),
            "4: services[0] \"a\": jwks DIR/none.json: No such",
        ),
        (
            service("a", &[], "[services.jwks]\nurl = 'https://a/'\nca = 'none'"),
            "1: services[0] \"a\": jwks: DIR/none",
        ),
        (
            "deny_file = 'none.txt'\n".to_owned() + &service("a", &[&one], ""),
            "1: deny_file: DIR/none.txt: No such",
        ),
    ] {
        let scene = Scene::new(&conf);
        scene.write("weak.pem", WEAK);
        scene.write("good.pem", &one);
        scene.write(
            "bad.json",
            &jwks(&[Some("a"), None]).replace("\"OKP\"", "\"oct\"").replacen("\"oct\"", "\"OKP\"", 1),
        );
        let error = format!("{:#}", scene.load().map(|_| ()).expect_err(&conf));
        let directory = scene.dir.path().display().to_string();
        let expected = format!("{directory}/d.toml:{}", says.replace("DIR", &directory));
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

#[test]
fn the_state_directory_must_be_there_and_ours() {
    let scene = Scene::new(&service("a", &[&pem()], ""));
    let state_dir = scene.path("state");
    let options = RulesOptions { state_dir: Some(state_dir.clone()), ..scene.options() };
    let error = load(&options).unwrap_err().to_string();
    assert!(
        error.starts_with("--state-dir /") && error.ends_with("/state: no directory; create it"),
        "{error}"
    );
    fs::create_dir(&state_dir).unwrap();
    for (mode, fine) in [(0o700, true), (0o755, true), (0o770, false), (0o1777, false)] {
        fs::set_permissions(&state_dir, fs::Permissions::from_mode(mode)).unwrap();
        let error = load(&options).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(error.is_empty(), fine, "{mode:o}");
        assert!(
            fine || error.contains("others may write it, and so let anybody in; chmod go-w /"),
            "{error}"
        );
    }
}

#[test]
fn what_is_odd_is_told() {
    let same = pem();
    let soon = daemon::log::utc(SystemTime::now() + Duration::from_secs(29 * 86_400));
    let keys = |lines: &str| service("a", &[], &format!("[[services.keys]]\npem = '''{same}'''\n{lines}"));
    let paths = |list: &str| service("a", &[&same], "").replace("'/a'", list);
    let rule = |path: &str| {
        service("a", &[&same], &format!("[[services.rule]]\npath = '{path}'\nmethods = ['GET']"))
    };
    let nginx =
        "1: services[0] \"a\": methods hold only if nginx sets X-Original-Method; see deteco nginx-conf";
    let published = "[services.jwks]\nurl = 'https://127.0.0.1:1/'";
    for (conf, expected) in [
        (service("a", &[&same], ""), vec![]),
        (
            service("a", &[&same, &same], ""),
            vec!["1: services[0] \"a\": public_keys[1]: the same key as public_keys[0]; remove one of them"],
        ),
        (paths("'/'"), vec!["1: services[0] \"a\": paths[0]: \"/\" is everything"]),
        (paths("'path1'"), vec!["paths[0]: \"path1\" is taken as \"/path1\"; write it so"]),
        (paths("'/a/*'"), vec!["paths[0]: \"/a/*\": a * is a letter like any other"]),
        (
            paths("'/a', '/ab', '/b', '/a/'"),
            vec!["paths[3]: \"/a/\" adds nothing, paths[0] has /a already; remove one"],
        ),
        (paths("'/a', '/a/b'"), vec!["paths[1]: \"/a/b\" adds nothing, paths[0] has /a already"]),
        (rule("/b"), vec![nginx]),
        (rule("/a/b"), vec!["rule[0]: \"/a/b\" adds nothing, paths[0] has /a already", nginx]),
        (
            service("a", &[CERTIFICATE], ""),
            vec!["public_keys[0]: the key is inactive since 2021-01-01T00:00:00.000Z"],
        ),
        (keys(&format!("not_after = {soon}")), vec!["keys[0]: the key ends on "]),
        (keys("not_before = 2999-01-01T00:00:00Z"), vec!["keys[0]: the key is inactive until 2999"]),
        (keys("not_after = 2999-01-01T00:00:00Z"), vec![]),
        (service("a", &[&same], "scopes = ['x']"), vec!["scopes hold only if nginx sets X-Deteco-Scope"]),
        (
            service("a", &[&same], "") + &service("b", &[&same], ""),
            vec![
                "services[1] \"b\": public_keys[0]: the same key as public_keys[0] of \"a\": its holder may be either; and without audience",
            ],
        ),
        (service("a", &[], published), vec!["jwks: its only keys are published, and were not looked at"]),
        (service("a", &[&same], published), vec![]),
    ] {
        let told = Scene::new(&conf).load().unwrap().warnings;
        assert_eq!(told.len(), expected.len(), "{conf}: {told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{told}\n{expected}");
        }
    }
}
