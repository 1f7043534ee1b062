use std::fs;
use std::path::Path;

use clap::Parser;
use token::{NewKey, PrivateKey};

use super::*;
use crate::Config;

const KEYED: &str = "map = 'map.txt'\npublic_key = ['key.pem']\n";

/// A directory with a key, a map and a configuration file.
fn directory(config: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "key.pem", &PrivateKey::generate(NewKey::P256).unwrap().public_pem());
    write(&directory, "map.txt", "mysql,127.0.0.1:3306\n");
    write(&directory, "w.toml", config);
    directory
}

fn write(directory: &tempfile::TempDir, name: &str, text: &str) {
    fs::write(directory.path().join(name), text).unwrap();
}

fn args(path: &Path, flags: &[&str]) -> Args {
    let path = path.display().to_string();
    Args::parse_from(["wsgate-server", "--config", path.as_str()].iter().chain(flags))
}

fn start(directory: &tempfile::TempDir, flags: &[&str]) -> Result<Config> {
    Config::from_args(args(&directory.path().join("w.toml"), flags), 20_000).map(|(config, _)| config)
}

/// What a reload does, without the waiting.
fn again(config: &mut Config) -> Arc<Again> {
    let Reload { watch, source, started } = config.reload.take().unwrap();
    Arc::new(Again { paths: watch.paths(), source, started, policy: config.policy.clone() })
}

fn upstream(config: &Config, name: &str) -> Option<String> {
    config.policy.load().destinations.get(name).map(|destination| destination.address.to_string())
}

#[tokio::test]
async fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let config = "listen = '127.0.0.1:7000'\ndial_timeout = '3s'\nwrite_timeout = '0'\nmax_connections = 5\n\
                  max_connections_per_user = 2\nmap = 'map.txt'\n";
    let directory = directory(config);
    let config = start(&directory, &["--dial-timeout", "4s", "--max-connections-per-user", "3"]).unwrap();
    let seconds = |s| Some(Duration::from_secs(s));
    assert_eq!(config.listen, "127.0.0.1:7000".parse().unwrap());
    assert_eq!((config.dial_timeout, config.handshake_timeout), (seconds(4), seconds(10)));
    assert_eq!((config.write_timeout, config.max_connections), (None, 5));
    assert_eq!(config.policy.load().max_connections_per_user, Some(3));
    assert_eq!(upstream(&config, "mysql").unwrap(), "127.0.0.1:3306");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let directory = directory("");
    for (config, flags, says) in [
        ("lissten = ':1'", vec![], "w.toml:1: unknown field"),
        ("map = 'none.txt'", vec![], "none.txt"),
        ("map = 'map.txt'\n[[destination]]\nname = 'mysql'\nupstream = 'h:1'", vec![], "w.toml:3: \"mysql\""),
        ("public_key = ['map.txt']", vec![], "map.txt"),
        ("[[key]]\nfile = 'none.pem'", vec![], "[[key]]"),
        (KEYED, vec!["--allow-anonymous=true"], "contradicts"),
        ("iap_audience = ['a']\nallow_anonymous = true", vec![], "contradicts"),
        ("iap_audience = ['a']\niap_jwks = 'map.txt'", vec![], "map.txt"),
    ] {
        write(&directory, "w.toml", config);
        let error = format!("{:#}", start(&directory, &flags).expect_err(config));
        assert!(error.contains(says), "{config:?}: {error}");
    }
}

#[tokio::test]
async fn a_reload_replaces_all_or_nothing() {
    let directory = directory(KEYED);
    let mut config = start(&directory, &[]).unwrap();
    config.build_in("echo", "127.0.0.1:7".parse().unwrap());
    let reload = again(&mut config);
    let held = config.policy.load();

    write(&directory, "map.txt", "mysql,127.0.0.2:3306\nssh,127.0.0.1:22\n");
    reload.clone().read().await.unwrap();
    assert_eq!(upstream(&config, "mysql").unwrap(), "127.0.0.2:3306");
    assert!(upstream(&config, "ssh").is_some() && upstream(&config, "echo").is_some());
    assert_eq!(held.destinations.names().count(), 2, "who has loaded one keeps it");

    for (name, text, says) in [
        ("map.txt", "mysql,127.0.0.3:3306\nssh\n", "map.txt:2"),
        ("w.toml", "map = 'map.txt'\npublic_key = [7]\n", "w.toml:2"),
        ("w.toml", "map = 'map.txt'\n", "neither a public key nor an IAP audience is left"),
        ("w.toml", "# to come\n\n", "says nothing any more"),
        ("key.pem", "no key", "key.pem"),
    ] {
        let path = directory.path().join(name);
        let good = fs::read_to_string(&path).unwrap();
        write(&directory, name, text);
        let error = format!("{:#}", reload.clone().read().await.expect_err(text));
        assert!(error.contains(says), "{text:?}: {error}");
        assert_eq!(upstream(&config, "mysql").unwrap(), "127.0.0.2:3306");
        fs::write(path, good).unwrap();
    }
}

#[tokio::test]
async fn a_reload_never_asks_callers_for_less() {
    // The key of RFC 7517 appendix A.1.
    const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
    const BOTH: &str = "public_key = ['key.pem']\niap_audience = ['a']\niap_jwks = 'jwks.json'\n";
    for (before, after, says) in [
        (BOTH, "public_key = ['key.pem']\n", "no IAP audience is left"),
        (BOTH, "iap_audience = ['a']\niap_jwks = 'jwks.json'\n", "no public key is left"),
        (BOTH, "map = 'map.txt'\n", "neither a public key nor"),
        ("map = 'map.txt'\n", "map = 'map.txt'\nallow_anonymous = true\n", "from anywhere"),
    ] {
        let directory = directory(before);
        write(&directory, "jwks.json", JWKS);
        let mut config = start(&directory, &[]).unwrap();
        let reload = again(&mut config);
        write(&directory, "w.toml", after);
        let error = format!("{:#}", reload.clone().read().await.expect_err(after));
        assert!(error.contains(says) && error.contains("restart"), "{after:?}: {error}");
        write(&directory, "w.toml", before);
        reload.read().await.unwrap();
    }
}

#[test]
fn what_needs_a_restart_is_told_apart() {
    let read = |text: &str| File::parse(text, Path::new("w.toml")).unwrap();
    let before = read("listen = ':1'\njwt_freshness = '1h'\n");
    let after = read("listen = ':2'\njwt_freshness = '2h'\nmap = 'm'\nmax_connections = 7\n");
    assert_eq!(changed(&before, &after), ["listen", "max_connections"]);
    assert!(changed(&before, &before).is_empty());
}
