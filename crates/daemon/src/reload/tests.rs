use super::*;
use std::fs;
use std::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// A watched file, and what the consumer made of it each time.
struct Scene {
    dir: tempfile::TempDir,
    counts: Arc<Counts>,
    stop: CancellationToken,
    loads: UnboundedReceiver<String>,
}

/// The file has the content "0" at first. The consumer refuses content with a question mark, and watches
/// another file if the content is its path.
fn scene(make: impl FnOnce(Watch) -> Watch) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "0").unwrap();
    let watch = make(Watch::new("file", [path.clone()]));
    let (counts, paths, stop) = (watch.counts(), watch.paths(), CancellationToken::new());
    let (sender, loads) = unbounded_channel();
    tokio::spawn(watch.run(stop.clone(), move || {
        let (path, paths, sender) = (path.clone(), paths.clone(), sender.clone());
        async move {
            let text = fs::read_to_string(&path)?;
            sender.send(text.clone()).unwrap();
            anyhow::ensure!(!text.contains('?'), "{}:1: a question", path.display());
            paths.replace([path.clone()].into_iter().chain(text.starts_with('/').then(|| text.into())));
            Ok(())
        }
    }));
    Scene { dir, counts, stop, loads }
}

impl Scene {
    fn write(&self, text: &str) {
        self.rename_from("new", text);
    }

    fn rename_from(&self, name: &str, text: &str) {
        let new = self.dir.path().join(name);
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path()).unwrap();
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("file")
    }

    /// The next load, which must come within two looks and a second; the clock is paused.
    async fn next(&mut self) -> String {
        let limit = Duration::from_millis(3300);
        tokio::time::timeout(limit, self.loads.recv()).await.expect("it is loaded").unwrap()
    }

    async fn rests(&mut self, time: Duration) {
        sleep(time).await;
        assert!(self.loads.try_recv().is_err());
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_loaded_once() {
    let mut scene = scene(|watch| watch);
    scene.rests(MINUTE).await;
    for text in ["1", "22", "3"] {
        scene.write(text);
        assert_eq!(scene.next().await, text);
        scene.rests(MINUTE).await;
    }
    assert_eq!((scene.counts.succeeded(), scene.counts.failed()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_file_is_not_loaded_while_it_is_written() {
    let mut scene = scene(|watch| watch);
    let mut text = String::new();
    for _ in 0..20 {
        text.push('x');
        fs::write(scene.path(), &text).unwrap(); // in place
        scene.rests(Duration::from_millis(500)).await;
    }
    assert_eq!(scene.next().await, text);
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_is_counted_once_and_the_next_one_taken() {
    let mut scene = scene(|watch| watch);
    scene.write("what?");
    assert_eq!(scene.next().await, "what?");
    scene.rests(MINUTE).await;
    assert_eq!((scene.counts.succeeded(), scene.counts.failed()), (0, 1));
    assert!(scene.counts.is_stale());

    fs::remove_file(scene.path()).unwrap();
    scene.rests(MINUTE).await;
    assert_eq!(scene.counts.failed(), 2, "a missing file is a bad one");

    scene.write("fine");
    assert_eq!(scene.next().await, "fine");
    scene.rests(MINUTE).await;
    assert_eq!((scene.counts.succeeded(), scene.counts.failed()), (1, 2));
    assert!(!scene.counts.is_stale());
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_is_refused_if_it_had_content() {
    let mut refusing = scene(Watch::refuse_empty);
    refusing.write("");
    refusing.rests(MINUTE).await;
    assert_eq!(refusing.counts.failed(), 1, "the consumer was not asked");
    refusing.write("1");
    assert_eq!(refusing.next().await, "1");

    let mut taking = scene(|watch| watch);
    taking.write("");
    assert_eq!(taking.next().await, "");
    taking.rests(MINUTE).await;
    assert_eq!(taking.counts.failed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_says_what_else_is_watched() {
    let mut scene = scene(|watch| watch);
    let other = scene.dir.path().join("other");
    let name = other.to_str().unwrap().to_owned();
    scene.write(&name);
    assert_eq!(scene.next().await, name);
    scene.rests(MINUTE).await;
    fs::write(&other, "x").unwrap();
    assert_eq!(scene.next().await, name, "the other one has appeared");

    scene.write("1");
    assert_eq!(scene.next().await, "1");
    fs::write(&other, "xx").unwrap();
    scene.rests(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_told_to() {
    let mut scene = scene(|watch| watch);
    scene.stop.cancel();
    assert_eq!(scene.loads.recv().await, None);
}

/// Signals and the places of log lines belong to the whole process, so these are done in one of their own:
/// this test binary again.
fn alone(test: &str) {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("reload::tests::{test}"), "--nocapture"])
        .env("DAEMON_TEST_RELOAD", test)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("as it should"), "{text}");
}

/// Whether this is the child: otherwise there is nothing to do.
fn is_alone() -> bool {
    std::env::var_os("DAEMON_TEST_RELOAD").is_some()
}

#[test]
fn obeys_sighup() {
    alone("hung_up");
}

#[tokio::test(start_paused = true)]
async fn hung_up() {
    if !is_alone() {
        return;
    }
    let mut scene = scene(|watch| watch.on_hangup().unwrap());
    for _ in 0..2 {
        hang_up();
        assert_eq!(scene.loads.recv().await.unwrap(), "0", "unchanged, and loaded all the same");
    }
    println!("as it should");
}

fn hang_up() {
    use rustix::process::{Signal, getpid, kill_process};
    kill_process(getpid(), Signal::HUP).unwrap();
}

#[test]
fn a_bad_file_is_logged_once_with_its_line() {
    alone("logged");
}

#[tokio::test(start_paused = true)]
async fn logged() {
    if !is_alone() {
        return;
    }
    let errors = Errors::default();
    let _logging = tracing::subscriber::set_default(Registry::default().with(errors.clone()));
    let mut scene = scene(|watch| watch);
    scene.write("what?");
    assert_eq!(scene.next().await, "what?");
    scene.rests(MINUTE).await;
    let expected = format!("{}:1: a question", scene.path().display());
    assert_eq!(*errors.0.lock().unwrap(), [expected]);
    println!("as it should");
}

/// Keeps what the field `error` of every event says.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Errors {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "error" {
            self.0.lock().unwrap().push(value.to_owned());
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
