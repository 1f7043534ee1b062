//! An issuer whose key server is away: at the start, later, and over a restart.

use std::fs;
use std::path::PathBuf;

use e2e::deteco::{Deteco, service};
use e2e::eventually::eventually;
use e2e::http::get as page;
use e2e::issuer::{Issuer, KeyServer};
use e2e::process::Signal;
use e2e::scratch::Scratch;

use super::jwks::{becomes, by_url, loaded, status};

#[test]
fn a_server_that_is_down_at_the_start_does_not_refuse_it_and_is_asked_again() {
    let (issuer, other, keys) = (Issuer::es256("k1"), Issuer::es256("k2"), KeyServer::new());
    let deteco = Deteco::start(&(by_url(&keys) + &service("bob", &other, &["/path1"])), &[]);
    assert_eq!(status(&deteco, &issuer), 401);
    assert_eq!(deteco.reason(1), "no_keys");
    assert_eq!(deteco.ask("/path1", &other.bearer("bob")).status, 200, "who has keys is let in");
    assert_eq!(page(deteco.address, "/live").status, 200);
    let fetched = keys.fetched();
    eventually("it tries again", || (keys.fetched() > fetched).then_some(()));
    keys.publish(&[&issuer]);
    becomes(&deteco, &issuer, 200);
}

#[test]
fn a_fetch_that_fails_keeps_the_old_keys() {
    for spoil in [KeyServer::fail, KeyServer::spoil] {
        let ([old, new], keys) = (["k1", "k2"].map(Issuer::es256), KeyServer::new());
        keys.publish(&[&old]);
        let deteco = Deteco::start(&by_url(&keys), &[]);
        loaded(&deteco, &old);
        spoil(&keys);
        let fetched = keys.fetched();
        assert_eq!(status(&deteco, &new), 401); // its kid is unknown, and causes a fetch
        eventually("it is fetched again", || (keys.fetched() > fetched).then_some(()));
        eventually("the failure is warned about", || {
            let events = deteco.process.events();
            events.iter().any(|event| event.level() == "warn" || event.level() == "error").then_some(())
        });
        for _ in 0..20 {
            assert_eq!(status(&deteco, &old), 200);
        }
        assert_eq!(status(&deteco, &new), 401);
    }
}

/// Ends it once there is a copy of the keys, and says which files there are.
fn stopped_with_a_copy(mut deteco: Deteco, dir: &str) -> Vec<PathBuf> {
    let files = || fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    eventually("a copy is written", || (!files().is_empty()).then_some(()));
    deteco.process.signal(Signal::TERM);
    deteco.process.wait(e2e::eventually::PATIENCE);
    files()
}

#[test]
fn state_dir_keeps_a_copy_for_a_restart_while_the_server_is_down() {
    let (issuer, keys, state) = (Issuer::es256("k1"), KeyServer::new(), Scratch::new());
    keys.publish(&[&issuer]);
    let dir = state.path().to_str().unwrap();
    let conf = by_url(&keys);
    let first = Deteco::start(&conf, &["--state-dir", dir]);
    loaded(&first, &issuer);
    stopped_with_a_copy(first, dir);
    keys.fail();
    let without = Deteco::start(&conf, &[]);
    assert_eq!(status(&without, &issuer), 401, "it is the copy that counts");
    let second = Deteco::start(&conf, &["--state-dir", dir]);
    assert_eq!(status(&second, &issuer), 200, "from the first request on");
}

#[test]
fn a_copy_that_is_spoilt_is_not_believed_and_does_not_refuse_a_start() {
    let (issuer, mallory) = (Issuer::es256("k1"), Issuer::es256("k1"));
    let (keys, state) = (KeyServer::new(), Scratch::new());
    keys.publish(&[&issuer]);
    let dir = state.path().to_str().unwrap();
    let conf = by_url(&keys);
    let first = Deteco::start(&conf, &["--state-dir", dir]);
    loaded(&first, &issuer);
    let copies = stopped_with_a_copy(first, dir);
    keys.fail();
    for copy in copies {
        fs::write(copy, "garbage").unwrap();
    }
    let second = Deteco::start(&conf, &["--state-dir", dir]);
    assert_eq!((status(&second, &issuer), status(&second, &mallory)), (401, 401));
    keys.publish(&[&issuer]);
    becomes(&second, &issuer, 200);
}
