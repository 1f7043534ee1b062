use std::os::unix::fs::DirBuilderExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::rules::tests::{CERTIFICATE, Scene, WEAK, jwks, kids, pem, service};
use crate::rules::{Rules, load};

/// Publishes a JWK set at a port of its own, and counts who asks.
struct Publisher {
    port: u16,
    document: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    _serving: AbortOnDropHandle<()>,
}

impl Publisher {
    async fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (document, asked) = (Arc::new(Mutex::new(document)), Arc::new(AtomicUsize::new(0)));
        let (now, count) = (document.clone(), asked.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if !stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
                        break; // a reload has ended the fetch
                    }
                }
                count.fetch_add(1, Ordering::Relaxed);
                let body = now.lock().unwrap().clone();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Publisher { port, document, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    fn url(&self) -> String {
        format!("[services.jwks]\nurl = 'http://127.0.0.1:{}/jwks'", self.port)
    }

    fn publish(&self, document: String) {
        *self.document.lock().unwrap() = document;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Waits until it is so: soon, unless something is wrong.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "{what}");
}

/// A reload as a file's change makes it, without the waiting.
async fn again(keeper: &Arc<Shared>, now: &Snapshot<Ruleset>) -> Result<()> {
    reload(keeper.clone(), now.clone()).await
}

#[tokio::test]
async fn a_reload_replaces_all_or_nothing() {
    let scene = Scene::new(&service("a", &[&pem()], "[[services.keys]]\nkid = 'k'\nfile = 'k.pem'"));
    scene.write("k.pem", &pem());
    let Rules { now, keeper, warnings } = Rules::start(scene.options()).unwrap();
    assert_eq!((kids(&now.load(), "a"), warnings), (vec!["-".to_owned(), "k".to_owned()], vec![]));
    let shared = Arc::new(keeper.shared);
    let held = now.load();
    let good = service("a", &[&pem()], "") + &service("b", &[CERTIFICATE], "");
    scene.write("d.toml", &good);
    again(&shared, &now).await.unwrap();
    assert_eq!((now.load().services.len(), held.services.len()), (2, 1), "who has loaded one keeps it");
    for (conf, says) in [
        ("", "d.toml:1: no [[services]]"),
        ("# to come\n", "d.toml:1: no [[services]]"),
        (
            &service("a", &[WEAK], ""),
            "d.toml:4: services[0] \"a\": public_keys[0]: this RSA key has 512 bits",
        ),
        (&service("a", &[], "[services.jwks]\nfile = 'none'"), "d.toml:4: services[0] \"a\": jwks "),
        (&format!("x = 1\n{good}"), "d.toml:1: unknown field `x`"),
    ] {
        scene.write("d.toml", conf);
        let error = format!("{:#}", again(&shared, &now).await.expect_err(conf));
        assert!(error.contains(says), "{conf}: {error}");
        assert_eq!(now.load().services.len(), 2);
    }
}

#[tokio::test]
async fn who_is_denied_stays_denied() {
    let scene = Scene::new(&format!("deny_file = 'denied.txt'\n{}", service("a", &[&pem()], "")));
    scene.write("denied.txt", "# nobody yet\n");
    let Rules { now, keeper, .. } = Rules::start(scene.options()).unwrap();
    let (state, shared) = (keeper.upkeep().deny_list, Arc::new(keeper.shared));
    let good = format!("deny_file = 'denied.txt'\n{}", service("b", &[&pem()], ""));
    scene.write("d.toml", &good);
    for (text, stale) in
        [(Some(""), true), (Some("# nobody\n"), false), (None, true), (Some("# again\n"), false)]
    {
        match text {
            Some(text) => scene.write("denied.txt", text),
            None => std::fs::remove_file(scene.path("denied.txt")).unwrap(),
        }
        again(&shared, &now).await.unwrap();
        assert_eq!(state.is_stale(), stale, "{text:?}");
        assert!(now.load().services.contains_key("b"), "the rest is in force");
    }
    scene.write("d.toml", "bad");
    scene.write("denied.txt", "");
    again(&shared, &now).await.unwrap_err();
    assert!(state.is_stale(), "it is read while the rest is bad");
    scene.write("d.toml", &service("b", &[&pem()], ""));
    again(&shared, &now).await.unwrap();
    assert!(!state.is_stale(), "there is none any more");
}

#[tokio::test]
async fn published_keys_come_and_go_and_outlive_reloads() {
    let publisher = Publisher::start(jwks(&[Some("p1")])).await;
    let (own, url) = (pem(), publisher.url());
    let scene = Scene::new(&service("a", &[&own], &url));
    let Rules { now, keeper, .. } = Rules::start(scene.options()).unwrap();
    assert_eq!(kids(&now.load(), "a"), ["-"], "nobody waits for the first fetch");
    let upkeep = keeper.upkeep();
    let before = upkeep.facts.load();
    assert_eq!((before.services, before.keys, before.sets.len()), (1, 1, 1));
    let (shared, changed) = (Arc::new(keeper.shared), keeper.changed);
    let following = tokio::spawn(follow(changed, shared.clone(), now.clone()));
    eventually("the first keys", || kids(&now.load(), "a") == ["-", "p1"]).await;

    scene.write("d.toml", &(service("b", &[&pem()], &url) + &service("a", &[&own], &url)));
    again(&shared, &now).await.unwrap();
    assert_eq!(
        (kids(&now.load(), "a"), kids(&now.load(), "b")),
        (vec!["-".into(), "p1".into()], vec!["-".into(), "p1".into()])
    );
    eventually("it is kept, and fetched anew once for both", || publisher.asked() == 2).await;
    let facts = upkeep.facts.load();
    assert_eq!((facts.services, facts.keys, facts.sets.len()), (2, 4, 1));
    assert_eq!((facts.sets[0].service.as_str(), facts.sets[0].services), ("b", 2));
    assert_ne!(facts.configuration, before.configuration);
    eventually("both fetches are counted", || upkeep.fetches.succeeded() == 2).await;

    let refetch = || now.load().services["a"].jwks.as_ref().unwrap().refetch();
    publisher.publish(jwks(&[Some("p1"), Some("p2")]));
    refetch();
    eventually("the next keys", || kids(&now.load(), "b") == ["-", "p1", "p2"]).await;

    publisher.publish(jwks(&[None; 8]));
    refetch();
    let seen = || now.load().services["a"].jwks.as_ref().unwrap().keys().unwrap().keys().len();
    eventually("too many keys", || seen() == 8).await;
    assert_eq!(kids(&now.load(), "a"), ["-", "p1", "p2"], "with its own they are too many");
    again(&shared, &now).await.unwrap();
    assert_eq!(kids(&now.load(), "a"), ["-", "p1", "p2"]);

    scene.write("d.toml", &service("a", &[&own], &format!("{url}\nrefresh = '2m'")));
    publisher.publish(jwks(&[Some("p3")]));
    shared.reload(&now).unwrap(); // nothing is awaited, so nothing is fetched yet
    assert_eq!(kids(&now.load(), "a"), ["-", "p1", "p2"], "other terms leave no gap");
    eventually("they are fetched anew", || kids(&now.load(), "a") == ["-", "p3"]).await;

    publisher.publish(jwks(&[]));
    refetch();
    eventually("the keys are withdrawn", || kids(&now.load(), "a") == ["-"]).await;
    following.abort();
}

#[tokio::test]
async fn own_keys_that_do_not_go_with_published_ones_are_refused() {
    let publisher = Publisher::start(jwks(&[None; 8])).await;
    let scene = Scene::new(&service("a", &[], &publisher.url()));
    let Rules { now, keeper, .. } = Rules::start(scene.options()).unwrap();
    let (shared, changed) = (Arc::new(keeper.shared), keeper.changed);
    let following = tokio::spawn(follow(changed, shared.clone(), now.clone()));
    eventually("the keys", || kids(&now.load(), "a").len() == 8).await;
    scene.write("d.toml", &service("a", &[&pem()], &publisher.url()));
    let error = format!("{:#}", again(&shared, &now).await.unwrap_err());
    assert!(error.contains("services[0] \"a\": with the keys of its JWK set: 9 keys allow EdDSA"), "{error}");
    assert_eq!(kids(&now.load(), "a").len(), 8);
    following.abort();
}

#[tokio::test]
async fn a_copy_serves_the_next_start() {
    let publisher = Publisher::start(jwks(&[Some("p1")])).await;
    let scene = Scene::new(&service("a", &[], &publisher.url()));
    std::fs::DirBuilder::new().mode(0o700).create(scene.path("state")).unwrap();
    let options = RulesOptions { state_dir: Some(scene.path("state")), ..scene.options() };
    let Rules { now, keeper, .. } = Rules::start(options.clone()).unwrap();
    let written = || std::fs::read_dir(scene.path("state")).unwrap().count() == 1;
    eventually("the copy", || written() && now.load().services["a"].jwks.as_ref().unwrap().keys().is_some())
        .await;
    drop((now, keeper, publisher));

    let Rules { now, keeper: _keeper, .. } = Rules::start(options.clone()).unwrap();
    assert_eq!(kids(&now.load(), "a"), ["p1"], "at once, and with nobody publishing");
    let loaded = load(&options).unwrap();
    assert_eq!(kids(&loaded.ruleset, "a"), ["p1"]);
    assert_eq!(loaded.services[0].jwks.as_ref().unwrap().copy.unwrap().keys, 1);

    let copy = std::fs::read_dir(scene.path("state")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&copy, r#"{"keys":[{"kty":"oct"}]}"#).unwrap();
    let loaded = load(&options).unwrap();
    assert!(loaded.warnings[0].contains("jwks: of the copy, key 0 (without kid): "), "{:?}", loaded.warnings);
    std::fs::write(&copy, "<html>").unwrap();
    let loaded = load(&options).unwrap();
    assert!(
        loaded.warnings[0].contains("jwks: the copy is not used: this is no JWK set"),
        "{:?}",
        loaded.warnings
    );
    let Rules { now, keeper: _keeper, .. } = Rules::start(options).unwrap();
    assert!(kids(&now.load(), "a").is_empty(), "a start all the same");
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_read_until_told_to_stop() {
    let scene = Scene::new(&service("a", &[], "[[services.keys]]\nfile = 'k.pem'"));
    scene.write("k.pem", &pem());
    let Rules { now, keeper, .. } = Rules::start(scene.options()).unwrap();
    let (counts, stop) = (keeper.upkeep().reloads, CancellationToken::new());
    let running = tokio::spawn(keeper.run(now.clone(), stop.clone()));
    let before = now.load();
    std::fs::remove_file(scene.path("k.pem")).unwrap(); // renamed over, so that no stamp can be the same
    scene.write("new.pem", &pem());
    std::fs::rename(scene.path("new.pem"), scene.path("k.pem")).unwrap();
    eventually("the new key", || counts.succeeded() == 1).await;
    let fingerprint = |rules: &Ruleset| rules.services["a"].keys.keys()[0].public.fingerprint().to_owned();
    assert_ne!(fingerprint(&before), fingerprint(&now.load()));
    stop.cancel();
    running.await.unwrap();
}
