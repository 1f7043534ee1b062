//! The JWK set cache against a publisher: rotation, outage, garbage. By the clock it is tested
//! beside its code.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use https::jwks::{JwksCache, JwksConfig, JwksSource};
use serde_json::json;
use token::{KeySet, MAX_TRIED, NewKey, Policy, PrivateKey, Refused, verify};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, Files};
use crate::stand::{Reply, Stand, client, ok, reply};

/// A publisher whose answer may be changed, and a cache that asks it.
struct Published {
    stand: Option<Stand>,
    document: Arc<Mutex<String>>,
    cache: JwksCache,
    keys: watch::Receiver<Option<Arc<KeySet>>>,
}

const DOWN: &str = "down";

impl Published {
    async fn start(document: String) -> Self {
        let (files, ca) = (Files::new(), Authority::new("test CA"));
        let document = Arc::new(Mutex::new(document));
        let now = document.clone();
        let answer = move |_: &str| -> Reply {
            match now.lock().unwrap().as_str() {
                DOWN => reply("503 Service Unavailable", "", "try later"),
                document => ok(document),
            }
        };
        let stand = Stand::start(Some(Arc::new(files.server(&ca, None))), answer).await;
        let source = JwksSource::Url(client(files.client(&ca, None)), stand.url("localhost", "/jwks"));
        let cache = JwksCache::start(config(source), &CancellationToken::new());
        let keys = cache.subscribe();
        Published { stand: Some(stand), document, cache, keys }
    }

    async fn publish(&mut self, document: String) -> Arc<KeySet> {
        *self.document.lock().unwrap() = document;
        self.cache.refetch();
        self.keys.changed().await.unwrap();
        self.keys.borrow_and_update().clone().unwrap()
    }

    /// Fetches again until it failed for that reason.
    async fn fails(&self, expected: &str) {
        self.cache.refetch();
        let failed = || self.cache.state().last_error.is_some_and(|error| error.starts_with(expected));
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while !failed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "{:?}", self.cache.state());
    }
}

fn config(source: JwksSource) -> JwksConfig {
    let counts = Arc::default();
    JwksConfig { source, refresh: None, max_stale: None, max_tried: MAX_TRIED, copy: None, counts }
}

fn set(keys: &[(&PrivateKey, &str)]) -> String {
    let keys: Vec<_> = keys.iter().map(|(key, kid)| key.public().to_jwk(Some(kid))).collect();
    json!({ "keys": keys }).to_string()
}

fn judge(key: &PrivateKey, kid: &str, keys: &KeySet) -> Result<String, Refused> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = key.sign(Some(kid), &json!({"sub": "alice", "iat": now, "exp": now + 60})).unwrap();
    verify(&token, keys, &Policy::default(), SystemTime::now()).map(|verified| verified.subject)
}

#[tokio::test]
async fn keys_rotate() {
    let [old, new] = [NewKey::P256, NewKey::P256].map(|kind| PrivateKey::generate(kind).unwrap());
    let mut published = Published::start(set(&[(&old, "old")])).await;
    assert!(published.cache.keys().is_none(), "nobody waits for the first fetch");
    let keys = published.keys.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(judge(&old, "old", &keys).unwrap(), "alice");
    assert_eq!(judge(&new, "new", &keys).unwrap_err(), Refused::NoKey);
    *published.document.lock().unwrap() = set(&[(&old, "old"), (&new, "new")]);
    published.keys.borrow_and_update();
    published.cache.unknown_kid();
    published.keys.changed().await.unwrap();
    let keys = published.cache.keys().unwrap();
    assert_eq!(judge(&old, "old", &keys).unwrap(), "alice");
    assert_eq!(judge(&new, "new", &keys).unwrap(), "alice");
    published.keys.borrow_and_update();
    let keys = published.publish(set(&[(&new, "new")])).await;
    assert_eq!(judge(&old, "old", &keys).unwrap_err(), Refused::NoKey);
    let seen = published.stand.as_ref().unwrap().seen();
    assert!(seen[0].contains("\r\naccept: application/jwk-set+json"), "{}", seen[0]);
}

#[tokio::test]
async fn an_outage_and_garbage_keep_the_keys() {
    let key = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let mut published = Published::start(set(&[(&key, "a")])).await;
    let keys = published.keys.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    let twice = set(&[(&key, "a")]).replacen('{', r#"{"keys":[],"#, 1);
    let rows = [
        (DOWN.to_owned(), "the answer is 503 Service Unavailable: try later"),
        ("<html>".to_owned(), "this is no JWK set: it is not JSON"),
        (twice, "this is no JWK set: an object in it has the same name twice"),
        (set(&[(&key, "a"); 9]), "the JWK set: 9 keys allow EdDSA, at most 8 may"),
        (" ".repeat(100_000), "the answer is longer than 65536 bytes"),
    ];
    for (document, expected) in rows {
        *published.document.lock().unwrap() = document;
        published.fails(expected).await;
        assert!(Arc::ptr_eq(&keys, &published.cache.keys().unwrap()), "{expected}");
    }
    published.stand = None;
    published.fails("no connection to localhost at ").await;
    assert!(Arc::ptr_eq(&keys, &published.cache.keys().unwrap()));
    assert_eq!(judge(&key, "a", &published.cache.keys().unwrap()).unwrap(), "alice");
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_skipped_or_an_error() {
    let key = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let good = key.public().to_jwk(Some("a"));
    let mixed = json!({"keys": [{"kty": "oct", "kid": "b"}, good]}).to_string();
    let mut published = Published::start(mixed.clone()).await;
    published.keys.wait_for(Option::is_some).await.unwrap();
    let state = published.cache.state();
    assert_eq!((state.keys, state.skipped, state.last_error), (Some(1), 1, None));

    let files = Files::new();
    let source = JwksSource::File(files.write("jwks.json", mixed));
    let cache = JwksCache::start(config(source), &CancellationToken::new());
    let mut keys = cache.subscribe();
    files.write("jwks.json", set(&[(&key, "a")]));
    published.cache = cache;
    published.cache.refetch();
    keys.wait_for(Option::is_some).await.unwrap();
    files.write("jwks.json", r#"{"keys":[{"kty":"oct","kid":"b"}]}"#);
    published.fails(r#"key 0 (kid "b"): the member `kty` is "oct""#).await;
    std::fs::remove_file(files.path("jwks.json")).unwrap();
    published.fails("No such file").await;
    assert!(published.cache.keys().is_some());
}
