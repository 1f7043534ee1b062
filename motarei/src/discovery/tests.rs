use super::*;
use crate::engine::Transport;
use crate::event::What;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// An engine of one's own: it answers by path, and writes to its event streams what it is told.
pub(crate) struct FakeEngine {
    pub(crate) directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
    serving: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// The ids in the list, and a label of each.
    running: Vec<(&'static str, String)>,
    /// What comes on the event stream next.
    events: VecDeque<String>,
    /// The ids of containers that carry none of the labels.
    foreign: Vec<&'static str>,
    /// Its event streams end at once.
    eventless: bool,
    /// Every request's path.
    asked: Vec<String>,
}

impl FakeEngine {
    pub(crate) fn start(running: &[&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut engine =
            Self { directory, state: Arc::default(), news: Arc::default(), serving: JoinSet::new() };
        for id in running {
            engine.add(id, "");
        }
        engine.listen();
        engine
    }

    /// The same for a container of nobody.
    fn add_foreign(&self, id: &'static str) {
        self.state.lock().unwrap().foreign.push(id);
    }

    /// It runs one more container, of the host's network.
    fn add(&self, id: &'static str, listen: &str) {
        self.state.lock().unwrap().running.push((id, listen.to_owned()));
    }

    /// The same, and tells of it. `listen` is its label.
    pub(crate) fn run(&self, id: &'static str, listen: &str) {
        self.add(id, listen);
        self.tell(event("start", id));
    }

    fn tell(&self, event: String) {
        self.state.lock().unwrap().events.push_back(event);
        self.news.notify_one();
    }

    pub(crate) fn address(&self) -> EngineAddress {
        EngineAddress { transport: Transport::Unix(self.directory.path().join("s")), api: None }
    }

    fn listen(&mut self) {
        let path = self.directory.path().join("s");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let (state, news) = (self.state.clone(), self.news.clone());
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(answer(stream, state.clone(), news.clone()));
            }
        });
    }

    /// It dies, with every connection.
    async fn stop(&mut self) {
        self.serving.shutdown().await;
    }

    fn follow(&self) -> (JoinSet<()>, mpsc::Receiver<Fact>, watch::Receiver<Engaged>) {
        let (keeper, facts) = mpsc::channel(64);
        let (engaged, engaged_out) = watch::channel(Engaged::default());
        let mut working = JoinSet::new();
        let apps = vec![vec!["app=web".parse().unwrap()]];
        working.spawn(Discovery::new(self.address(), apps, vec![keeper], engaged).run());
        (working, facts, engaged_out)
    }

    fn asked(&self, part: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|path| path.contains(part)).count()
    }
}

async fn answer(stream: UnixStream, state: Arc<Mutex<State>>, news: Arc<Notify>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line != "\r\n" && !line.is_empty() {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
    }
    state.lock().unwrap().asked.push(path.clone());
    if path.starts_with("/containers/mute/") {
        return std::future::pending().await;
    }
    if path.starts_with("/events") {
        return events(stream.into_inner(), &state, &news).await;
    }
    let body = body(&path, &state.lock().unwrap());
    let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
    let body = body.unwrap_or_else(|| r#"{"message":"no such container"}"#.to_owned());
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn body(path: &str, state: &State) -> Option<String> {
    let one = |(id, listen): &(&str, String)| {
        let labels =
            if listen.is_empty() { String::new() } else { format!(r#","motarei.listen":"{listen}""#) };
        let mode = r#""HostConfig":{"NetworkMode":"host"}"#;
        format!(r#"{{"Id":"{id}","State":"running",{mode},"Labels":{{"app":"web"{labels}}}}}"#)
    };
    match path.split('?').next()? {
        "/version" => Some(r#"{"Version":"20.10.24","ApiVersion":"1.41"}"#.to_owned()),
        "/info" => Some("{}".to_owned()),
        "/containers/json" => {
            let foreign = |id| format!(r#"{{"Id":"{id}","State":"running","Labels":{{"other":"web"}}}}"#);
            let all = state.running.iter().map(one).chain(state.foreign.iter().map(foreign));
            Some(format!("[{}]", all.collect::<Vec<_>>().join(",")))
        }
        // Listed, and gone before it is inspected.
        "/containers/ghost/json" => None,
        inspected => {
            let id = inspected.strip_prefix("/containers/")?.strip_suffix("/json")?;
            Some(format!(r#"{{"Id":"{id}","Created":"2026-11-22T00:01:05.7Z"}}"#))
        }
    }
}

async fn events(mut stream: UnixStream, state: &Mutex<State>, news: &Notify) {
    if state.lock().unwrap().eventless {
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
        return;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    loop {
        let lines = std::mem::take(&mut state.lock().unwrap().events);
        for line in lines {
            let _ = stream.write_all(format!("{:x}\r\n{line}\n\r\n", line.len() + 1).as_bytes()).await;
        }
        news.notified().await;
    }
}

fn event(action: &str, id: &str) -> String {
    format!(r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{}}}}}}"#)
}

/// The ids of the next list; events before it are skipped.
async fn next_list(facts: &mut mpsc::Receiver<Fact>) -> Vec<String> {
    loop {
        if let Fact::Listed(containers) = facts.recv().await.unwrap() {
            return containers.iter().map(|container| container.id.clone()).collect();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lists_what_runs_and_inspects_each_once() {
    let engine = FakeEngine::start(&["a", "ghost", "b"]);
    let (_working, mut facts, engaged) = engine.follow();
    for _ in 0..2 {
        assert_eq!(next_list(&mut facts).await, ["a", "b"], "one has gone meanwhile");
    }
    assert_eq!((engine.asked("/a/json"), engine.asked("/b/json")), (1, 1));
    assert!(engine.asked("label") > 0 && engine.asked("app%3Dweb") > 0, "the engine filters");
    let expected = Engaged { version: "20.10.24".into(), api: "1.41".into(), error: None };
    assert_eq!(*engaged.borrow(), expected);
}

#[tokio::test(start_paused = true)]
async fn others_containers_are_left_alone() {
    let engine = FakeEngine::start(&["a"]);
    engine.add_foreign("other");
    let (_working, mut facts, _engaged) = engine.follow();
    assert_eq!(next_list(&mut facts).await, ["a"]);
    assert_eq!(engine.asked("/other/json"), 0);
}

#[tokio::test(start_paused = true)]
async fn one_of_which_the_engine_tells_nothing_does_not_hide_the_others() {
    let engine = FakeEngine::start(&["mute", "a"]);
    let (_working, mut facts, _engaged) = engine.follow();
    for _ in 0..5 {
        assert_eq!(next_list(&mut facts).await, ["a"]);
    }
    assert_eq!(engine.asked("/mute/json"), 1, "each time nothing else is heard for 5 s");
    for _ in 0..5 {
        assert_eq!(next_list(&mut facts).await, ["a"]);
    }
    assert_eq!(engine.asked("/mute/json"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_told_at_once_and_followed_by_a_list() {
    let engine = FakeEngine::start(&["a", "b"]);
    engine.tell(event("die", "a"));
    engine.tell(event("kill", "b"));
    let (_working, mut facts, _engaged) = engine.follow();
    let mut ended = false;
    loop {
        match facts.recv().await.unwrap() {
            Fact::Happened(event) => ended |= event == Event { id: "a".into(), what: What::Ended },
            // The engine still lists it, and is not believed.
            Fact::Listed(containers) if ended => {
                assert_eq!(containers.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["b"]);
                return;
            }
            Fact::Listed(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_is_opened_anew() {
    let engine = FakeEngine::start(&["a"]);
    let (_working, mut facts, _engaged) = engine.follow();
    for _ in 0..2 {
        assert_eq!(next_list(&mut facts).await, ["a"]);
    }
    // Nobody tells of it.
    engine.add("b", "");
    assert_eq!(next_list(&mut facts).await, ["a", "b"]);
    for _ in 0..2 {
        assert_eq!(
            next_list(&mut facts).await,
            ["a", "b"],
            "listed again, before and after the new stream begins"
        );
    }
    assert_eq!(engine.asked("/events"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_is_waited_for() {
    let mut engine = FakeEngine::start(&["a"]);
    let (_working, mut facts, mut engaged) = engine.follow();
    assert_eq!(next_list(&mut facts).await, ["a"]);
    engine.stop().await;
    engaged.wait_for(|engaged| engaged.error.is_some()).await.unwrap();
    while facts.try_recv().is_ok() {}
    engine.state.lock().unwrap().running.clear();
    engine.add("b", "");
    engine.listen();
    assert_eq!(next_list(&mut facts).await, ["b"], "and nothing was told meanwhile");
    engaged.wait_for(|engaged| engaged.error.is_none()).await.unwrap();
}

/// With the real clock, by which the refusal may come before the first list is due.
#[tokio::test]
async fn an_engine_without_events_is_listed_each_time() {
    let engine = FakeEngine::start(&["a"]);
    engine.state.lock().unwrap().eventless = true;
    let (_working, mut facts, _engaged) = engine.follow();
    for _ in 0..3 {
        assert_eq!(next_list(&mut facts).await, ["a"]);
    }
    assert!(engine.asked("/events") <= 3, "one list a stream at least: {}", engine.asked("/events"));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_lags_behind_the_event_of_a_pause_does_not_undo_it() {
    let engine = FakeEngine::start(&["a"]);
    let (_working, mut facts, _engaged) = engine.follow();
    next_list(&mut facts).await;
    engine.tell(event("pause", "a"));
    // Up to the event itself.
    while !matches!(facts.recv().await.unwrap(), Fact::Happened(Event { what: What::Paused, .. })) {}
    let phase = loop {
        if let Fact::Listed(containers) = facts.recv().await.unwrap() {
            break containers[0].phase;
        }
    };
    assert_eq!(phase, crate::container::Phase::Paused, "the engine still lists it as running");
    let mut later = phase;
    while later == phase {
        if let Fact::Listed(containers) = facts.recv().await.unwrap() {
            later = containers[0].phase;
        }
    }
    assert_eq!(later, crate::container::Phase::Running, "and is believed in the end");
}
