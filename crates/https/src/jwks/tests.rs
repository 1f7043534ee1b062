//! The cache by the clock: time stands still but for what the tests let pass.

use std::collections::VecDeque;
use std::fmt;

use anyhow::{Result, bail};
use serde_json::json;
use token::{NewKey, Origin, PrivateKey};
use tokio::sync::mpsc;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::source::Document;
use super::*;

/// Answers from a script, the last one for ever, and tells when it was asked.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: mpsc::UnboundedSender<Instant>,
}

#[derive(Clone)]
enum Answer {
    Kids(&'static [&'static str]),
    MaxAge(u64),
    Garbage,
    Down(&'static str),
    Hangs,
}

use Answer::*;

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("script")
    }
}

impl Source for Script {
    async fn document(&self) -> Result<Document> {
        self.asked.send(Instant::now()).unwrap();
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        };
        match answer.unwrap() {
            Kids(kids) => Ok(document(kids, None)),
            MaxAge(seconds) => Ok(document(&["a"], Some(Duration::from_secs(seconds)))),
            Garbage => Ok(Document { bytes: "<html>".into(), ..document(&[], None) }),
            Down(text) => bail!("{text}"),
            Hangs => std::future::pending().await,
        }
    }
}

fn document(kids: &[&str], max_age: Option<Duration>) -> Document {
    static KEY: std::sync::LazyLock<PrivateKey> =
        std::sync::LazyLock::new(|| PrivateKey::generate(NewKey::Ed25519).unwrap());
    let keys: Vec<_> = kids.iter().map(|kid| KEY.public().to_jwk(Some(kid))).collect();
    Document { bytes: json!({ "keys": keys }).to_string().into(), max_age, origin: Origin::Fetched }
}

struct Kept {
    cache: JwksCache,
    asked: mpsc::UnboundedReceiver<Instant>,
    start: Instant,
    stop: CancellationToken,
}

fn keep(answers: &[Answer], terms: Terms) -> Kept {
    begin(Begin::default(), answers, terms)
}

fn keep_with(copy: Option<JwksCopy>, answers: &[Answer], terms: Terms) -> Kept {
    begin(Begin { copy, ..Begin::default() }, answers, terms)
}

fn begin(begin: Begin, answers: &[Answer], terms: Terms) -> Kept {
    let (sender, asked) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let script = Script { answers: Mutex::new(answers.to_vec().into()), asked: sender };
    Kept { cache: JwksCache::keep(script, terms, begin, &stop), asked, start: Instant::now(), stop }
}

const TERMS: Terms = Terms { refresh: None, max_stale: None, max_tried: 8 };

impl Kept {
    /// Waits until the source is asked, and tells how many seconds after the last time.
    async fn next(&mut self) -> f64 {
        let at = self.asked.recv().await.unwrap();
        let after = at - std::mem::replace(&mut self.start, at);
        settle().await;
        after.as_secs_f64()
    }

    /// Lets time pass, and tells how often the source was asked meanwhile.
    async fn pass(&mut self, seconds: u64) -> usize {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        settle().await;
        std::iter::from_fn(|| self.asked.try_recv().ok()).count()
    }

    fn kids(&self) -> Option<Vec<String>> {
        let keys = self.cache.keys()?;
        Some(keys.keys().iter().map(|key| key.kid.clone().unwrap()).collect())
    }
}

/// Lets the other task do what it can do now.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn about(after: f64, seconds: f64) {
    assert!(after >= seconds * 0.9 - 0.01 && after <= seconds + 0.01, "{after} is not about {seconds}");
}

#[tokio::test(start_paused = true)]
async fn it_is_fetched_at_start_and_then_as_the_publisher_says() {
    let mut kept = keep(&[Kids(&["a"]), MaxAge(3600), MaxAge(1), Kids(&["b"])], TERMS);
    assert_eq!(kept.cache.keys().map(|_| ()), None);
    about(kept.next().await, 0.0);
    assert_eq!(kept.kids().unwrap(), ["a"]);
    about(kept.next().await, 600.0);
    about(kept.next().await, 3600.0);
    about(kept.next().await, 60.0);
    assert_eq!(kept.kids().unwrap(), ["b"]);
    let mut kept = keep(&[MaxAge(3600)], Terms { refresh: Some(Duration::from_secs(120)), ..TERMS });
    kept.next().await;
    about(kept.next().await, 120.0);
}

#[tokio::test(start_paused = true)]
async fn fetches_are_counted_by_how_they_went_beyond_the_cache() {
    let counts = Arc::new(FetchCounts::default());
    for round in 1..=2 {
        let from = Begin { counts: counts.clone(), ..Begin::default() };
        let mut kept = begin(from, &[Down("no route"), Garbage, Kids(&["a"]), Kids(&["a"])], TERMS);
        for _ in 0..4 {
            kept.next().await;
        }
        assert_eq!((counts.succeeded(), counts.failed()), (2 * round, 2 * round));
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_it_is_tried_again_ever_more_slowly() {
    let mut answers = vec![Down("no route"); 12];
    answers.push(Kids(&["a"]));
    let mut kept = keep(&answers, TERMS);
    kept.next().await;
    for expected in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0] {
        about(kept.next().await, expected);
        let state = kept.cache.state();
        assert_eq!((state.keys, state.age, state.last_error.as_deref()), (None, None, Some("no route")));
    }
    kept.next().await;
    let state = kept.cache.state();
    assert_eq!((state.keys, state.age, state.last_error), (Some(1), Some(Duration::ZERO), None));
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_garbage_keeps_the_old_keys() {
    let mut kept = keep(&[Kids(&["a"]), Down("x"), Garbage, Kids(&["b"]), Down("x")], TERMS);
    kept.next().await;
    let first = kept.cache.keys().unwrap();
    for (expected, error) in [(600.0, "x"), (60.0, "this is no JWK set: it is not JSON")] {
        about(kept.next().await, expected);
        assert_eq!(kept.cache.state().last_error.as_deref(), Some(error));
        assert!(Arc::ptr_eq(&first, &kept.cache.keys().unwrap()));
    }
    about(kept.next().await, 60.0);
    assert_eq!(kept.kids().unwrap(), ["b"]);
    kept.pass(1_000_000).await;
    assert_eq!(kept.kids().unwrap(), ["b"], "without max_stale they stay");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_fetches_at_most_once_a_minute() {
    let mut kept = keep(&[Kids(&["a"]), Kids(&["a", "b"])], Terms { refresh: Some(Duration::MAX), ..TERMS });
    kept.next().await;
    assert_eq!(kept.pass(30).await, 0);
    kept.cache.unknown_kid();
    assert_eq!(kept.kids().unwrap(), ["a"], "nobody waits");
    settle().await;
    assert_eq!(kept.pass(0).await, 1, "the first at once");
    assert_eq!(kept.kids().unwrap(), ["a", "b"]);
    for _ in 0..1000 {
        kept.cache.unknown_kid();
        settle().await;
    }
    assert_eq!(kept.pass(59).await, 0);
    assert_eq!(kept.pass(2).await, 1, "who asked too early is remembered");
    assert_eq!(kept.pass(600).await, 0);
    let mut fetches = 0;
    for _ in 0..600 {
        kept.cache.unknown_kid();
        fetches += kept.pass(1).await;
    }
    assert!((10..=11).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn an_operator_need_not_wait() {
    let mut kept = keep(&[Kids(&["a"]), Kids(&["b"])], TERMS);
    kept.next().await;
    kept.cache.refetch();
    about(kept.next().await, 0.0);
    assert_eq!(kept.kids().unwrap(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_old_are_dropped() {
    let max_stale = Some(Duration::from_secs(3600));
    let mut kept = keep(&[Kids(&["a"]), Down("x")], Terms { max_stale, ..TERMS });
    let mut changes = kept.cache.subscribe();
    kept.next().await;
    assert!(changes.borrow_and_update().is_some());
    kept.pass(3599).await;
    assert!(kept.cache.keys().is_some());
    kept.pass(1).await;
    assert!(kept.cache.keys().is_none());
    assert!(changes.has_changed().unwrap() && changes.borrow_and_update().is_none());
    let state = kept.cache.state();
    assert_eq!((state.keys, state.age), (None, Some(Duration::from_secs(3600))));
    let mut kept = keep(&[Kids(&["a"]), Hangs], Terms { max_stale, ..TERMS });
    kept.next().await;
    kept.pass(3601).await;
    assert!(kept.cache.keys().is_none(), "also while a fetch is under way");
}

/// The same bytes again are the same keys, also for those who hear of changes; after the keys were
/// dropped they count again.
#[tokio::test(start_paused = true)]
async fn only_a_change_is_told() {
    let max_stale = Some(Duration::from_secs(700));
    let mut answers = vec![Kids(&["a"]), Kids(&["a"])];
    answers.extend(vec![Down("x"); 6]);
    answers.push(Kids(&["a"]));
    let mut kept = keep(&answers, Terms { max_stale, ..TERMS });
    let mut changes = kept.cache.subscribe();
    kept.next().await;
    changes.borrow_and_update();
    kept.next().await;
    assert_eq!(kept.cache.state().age, Some(Duration::ZERO));
    assert!(!changes.has_changed().unwrap());
    kept.next().await;
    assert!(!changes.has_changed().unwrap());
    changes.changed().await.unwrap();
    assert!(changes.borrow_and_update().is_none());
    changes.changed().await.unwrap();
    assert_eq!(kept.kids().unwrap(), ["a"]);
}

/// A copy in a directory of its own, with that in it.
fn a_copy(directory: &tempfile::TempDir, bytes: &[u8]) -> JwksCopy {
    let copy = JwksCopy::new(directory.path(), &"https://a.example/jwks".parse().unwrap());
    copy.write(bytes).unwrap();
    copy
}

fn age_by(copy: &JwksCopy, seconds: u64) {
    let file = std::fs::File::options().write(true).open(copy.path()).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_copy_serves_until_the_first_fetch() {
    let directory = tempfile::tempdir().unwrap();
    let copy = a_copy(&directory, &document(&["a"], None).bytes);
    let mut kept = keep_with(Some(copy.clone()), &[Down("x"), Kids(&["a"]), Kids(&["b"])], TERMS);
    assert_eq!(kept.kids().unwrap(), ["a"], "at once");
    let mut changes = kept.cache.subscribe();
    kept.next().await;
    assert_eq!((kept.kids().unwrap(), kept.cache.state().last_error), (vec!["a".into()], Some("x".into())));
    kept.next().await;
    assert!(!changes.has_changed().unwrap(), "the same document is no change");
    kept.next().await;
    changes.changed().await.unwrap();
    assert_eq!(kept.kids().unwrap(), ["b"]);
    kept.next().await; // after the copy has been written
    assert_eq!(copy.read().unwrap().unwrap().bytes, document(&["b"], None).bytes);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_as_old_as_its_last_fetch() {
    let directory = tempfile::tempdir().unwrap();
    let copy = a_copy(&directory, &document(&["a"], None).bytes);
    let terms = Terms { max_stale: Some(Duration::from_secs(3600)), ..TERMS };
    age_by(&copy, 3601);
    assert!(keep_with(Some(copy.clone()), &[Hangs], terms).cache.keys().is_none());
    age_by(&copy, 3000);
    let mut kept = keep_with(Some(copy.clone()), &[Hangs], terms);
    assert!(kept.cache.state().age.unwrap() >= Duration::from_secs(3000));
    kept.next().await;
    kept.pass(500).await;
    assert!(kept.cache.keys().is_some());
    kept.pass(101).await;
    assert!(kept.cache.keys().is_none());

    let mut kept = keep_with(Some(copy.clone()), &[Kids(&["a"])], terms);
    kept.next().await;
    kept.next().await; // after the copy has been confirmed
    assert!(copy.read().unwrap().unwrap().age < Duration::from_secs(3000));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_damaged_counts_as_none() {
    let directory = tempfile::tempdir().unwrap();
    for bytes in ["", "<html>", "{\"keys\":[", "{\"keys\":7}"] {
        let copy = a_copy(&directory, bytes.as_bytes());
        let mut kept = keep_with(Some(copy.clone()), &[Kids(&["a"])], TERMS);
        assert!(kept.cache.keys().is_none(), "{bytes}");
        kept.next().await;
        kept.next().await;
        assert_eq!(kept.kids().unwrap(), ["a"]);
        assert_eq!(copy.read().unwrap().unwrap().bytes, document(&["a"], None).bytes);
    }
    let nowhere = JwksCopy::new(&directory.path().join("none"), &"https://a.example/".parse().unwrap());
    let mut kept = keep_with(Some(nowhere), &[Kids(&["a"]), Kids(&["b"])], TERMS);
    kept.next().await;
    kept.next().await;
    assert_eq!(kept.kids().unwrap(), ["b"], "a copy that cannot be written does not matter");
}

#[tokio::test(start_paused = true)]
async fn other_terms_begin_with_what_was_fetched_last() {
    let mut first = keep(&[Kids(&["a"]), Hangs], TERMS);
    assert!(first.cache.last().is_none());
    first.next().await;
    first.pass(600).await;
    for (max_stale, expected) in
        [(None, Some(vec!["a".to_owned()])), (Some(600), None), (Some(2400), Some(vec!["a".to_owned()]))]
    {
        let terms = Terms { max_stale: max_stale.map(Duration::from_secs), ..TERMS };
        let mut next = begin(Begin { before: first.cache.last(), ..Begin::default() }, &[Hangs], terms);
        assert_eq!(next.kids(), expected, "{max_stale:?}");
        next.next().await;
        next.pass(600).await;
        assert_eq!(next.kids(), expected.filter(|_| max_stale.is_none()), "its age goes on");
    }
}

/// Well-formed and authentic: the publisher has withdrawn its keys.
#[tokio::test(start_paused = true)]
async fn an_empty_set_is_taken() {
    let mut kept = keep(&[Kids(&["a"]), Kids(&[])], TERMS);
    kept.next().await;
    kept.next().await;
    assert_eq!(kept.cache.state().keys, Some(0));
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_told_and_when_nobody_has_it() {
    let mut kept = keep(&[Hangs], TERMS);
    kept.next().await;
    kept.stop.cancel();
    assert_eq!(kept.asked.recv().await, None);
    let Kept { cache, mut asked, .. } = keep(&[Kids(&["a"])], TERMS);
    let clone = cache.clone();
    drop(cache);
    asked.recv().await.unwrap();
    assert!(asked.recv().await.is_some(), "a clone keeps it going");
    drop(clone);
    while asked.recv().await.is_some() {}
}

/// Counts warnings and infos of one thread: as the default of that thread alone, tracing would miss
/// those at places that another test's thread came by first.
#[derive(Clone)]
struct Lines(Arc<Mutex<usize>>, std::thread::ThreadId);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::INFO && std::thread::current().id() == self.1 {
            *self.0.lock().unwrap() += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_logged_once() {
    let lines = Lines(Arc::default(), std::thread::current().id());
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.clone())).unwrap();
    let answers =
        [Kids(&["a"]), Kids(&["a"]), Down("x"), Down("x"), Down("x"), Down("y"), Kids(&["a"]), Kids(&["a"])];
    let mut kept = keep(&answers, TERMS);
    let mut told = Vec::new();
    for _ in 0..8 {
        kept.next().await;
        told.push(std::mem::take(&mut *lines.0.lock().unwrap()));
    }
    assert_eq!(told, [1, 0, 1, 0, 0, 1, 1, 0]);
}
