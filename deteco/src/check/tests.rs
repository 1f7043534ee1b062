use super::*;
use crate::rules::tests::{CERTIFICATE, Scene, WEAK, pem, service};

fn checked(scene: &Scene) -> Result<Checked> {
    check(&CheckArgs { conf: scene.path("d.toml"), state_dir: None })
}

#[test]
fn all_of_it_is_reported() {
    let more = "scopes = ['b', 'a']\n[[services.rule]]\npath = '/r'\nmethods = ['GET', 'PUT']\n\
                [[services.keys]]\nkid = 'k'\nfile = 'k.pem'\nnot_after = 2999-01-01T00:00:00Z\n\
                [services.jwks]\nurl = 'https://127.0.0.1:1/set?secret'\nmax_stale = '24h'\n\
                [services.headers]\nX-A = 'a'";
    let scene = Scene::new(&(service("one", &[&pem()], more) + &service("two", &[CERTIFICATE], "")));
    scene.write("k.pem", &pem());
    let Checked { report, warnings } = checked(&scene).unwrap();
    let (conf, file) = (scene.path("d.toml"), scene.path("k.pem"));
    let expected = format!(
        "{}: 2 services, 3 keys

one
  key     Ed25519 FINGERPRINT, public_keys[0]
  key     Ed25519 FINGERPRINT, kid \"k\", until 2999-01-01T00:00:00.000Z, keys[0] {}
  jwks    https://127.0.0.1:1/set, every 10m, for at most 24h, not looked at
  path    /one, any method
  path    /r, GET PUT
  scopes  a b
  header  x-a is the claim \"a\"

two
  key     Ed25519 FINGERPRINT, from 2020-01-01T00:00:00.000Z, until 2021-01-01T00:00:00.000Z, INACTIVE, public_keys[0]
  path    /two, any method
",
        conf.display(),
        file.display()
    );
    let mut words: Vec<String> = report.split_inclusive([' ', '\n']).map(str::to_owned).collect();
    for word in &mut words {
        if word.len() == SHORT + 2
            && word.trim_end_matches(", ").bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b',')
        {
            *word = "FINGERPRINT, ".to_owned();
        }
    }
    assert_eq!(words.concat(), expected);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn what_hinders_a_start_is_an_error() {
    let error = format!("{:#}", checked(&Scene::new(&service("a", &[WEAK], ""))).unwrap_err());
    assert!(
        error.contains("d.toml:4: services[0] \"a\": public_keys[0]: this RSA key has 512 bits"),
        "{error}"
    );
}

#[test]
fn a_denied_service_that_is_none_is_told() {
    let scene = Scene::new(&("deny_file = 'denied.txt'\n".to_owned() + &service("alice", &[&pem()], "")));
    let alice = "sub alice\niat-before 2020-01-01T00:00:00Z sub alice\n";
    for (list, expected) in [
        (alice.to_owned(), None),
        (format!("{alice}sub Alice\n"), Some("the sub \"Alice\" is no service's id")),
        (format!("{alice}sub b\niat-before 2020-01-01T00:00:00Z sub a\n"), Some("\"a\", and 1 more, is")),
    ] {
        scene.write("denied.txt", &list);
        let warnings = checked(&scene).unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(expected.is_some()), "{warnings:?}");
        let told = |part: &str| warnings[0].contains("d.toml:1: deny_file: ") && warnings[0].contains(part);
        assert!(expected.is_none_or(told), "{warnings:?}");
    }
}

#[test]
fn a_denied_key_that_is_none_is_told() {
    let keys = format!("[[services.keys]]\nkid = 'k1'\npem = '''{}'''", pem());
    let scene = Scene::new(&("deny_file = 'denied.txt'\n".to_owned() + &service("alice", &[], &keys)));
    for (list, expected) in [("kid k1\n", false), ("kid k2\n", true)] {
        scene.write("denied.txt", list);
        let warnings = checked(&scene).unwrap().warnings;
        let told = warnings.iter().any(|warning| warning.contains("no key has the kid \"k2\""));
        assert_eq!((warnings.len(), told), (usize::from(expected), expected), "{warnings:?}");
    }
}
