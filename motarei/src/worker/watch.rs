//! Watching for a newer container: the proxy is asked, or, if there is none, the engine and the containers.

use std::io;
use std::time::Duration;

use daemon::listen::ListenAddr;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, interval};

use super::Event;
use super::newer::Newer;
use super::sight::{Alone, Ours, Sight, Succession};
use crate::status::{Document, ask};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);

/// A proxy that has answered before is restarted, perhaps: it is waited for so long.
const RESTART: Duration = Duration::from_secs(10);

/// Watches.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Our container.
    pub(crate) id: String,
    /// Where the proxy answers.
    pub(crate) status: ListenAddr,
    pub(crate) drain: Option<Duration>,
    pub(crate) newer: Newer,
    /// It was said that the proxy may not be asked.
    pub(crate) warned: bool,
    /// When the proxy last told about ours.
    pub(crate) answered: Option<Instant>,
}

impl Watch {
    /// Tells what it sees, until nobody listens.
    pub(crate) async fn run(mut self, tell: UnboundedSender<Event>) {
        let (mut again, mut shown) = (interval(LOOK), None);
        loop {
            again.tick().await;
            let Some(sight) = self.look().await else { continue };
            show(&self.id, &sight, &mut shown);
            if tell.send(Event::Saw(sight)).is_err() {
                return;
            }
        }
    }

    /// Nothing while a proxy is waited for: what was seen last holds.
    async fn look(&mut self) -> Option<Sight> {
        let why = match ask(&self.status).await {
            Ok(document) => match sight(&document, &self.id, self.drain) {
                Some(sight) => {
                    self.answered = Some(Instant::now());
                    return Some(sight);
                }
                None => "the proxy does not follow our container".to_owned(),
            },
            Err(error) => {
                self.warn(&error);
                format!("{error:#}")
            }
        };
        if self.answered.is_some_and(|answered| answered.elapsed() < RESTART) {
            tracing::debug!(%why, "waiting for the proxy");
            return None;
        }
        tracing::debug!(%why, "no proxy to ask");
        let seen = match self.newer.look(&self.id, self.drain).await {
            Ok(sight) => sight,
            Err(error) => Sight::Alone(Alone { why: format!("{error:#}; {why}"), ours: Ours::Unknown }),
        };
        Some(seen)
    }
}

impl Watch {
    /// Once: a proxy is there, and our own probes, which know less, take its place.
    fn warn(&mut self, error: &anyhow::Error) {
        let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        if !self.warned && kinds.into_iter().any(|kind| kind == io::ErrorKind::PermissionDenied) {
            self.warned = true;
            tracing::warn!(
                container = super::short(&self.id),
                status = %self.status,
                "this user may not ask the proxy, so the containers are probed instead: run as the proxy's user, or \
                 let this one write to the socket (UMask= and Group= of the proxy's unit)"
            );
        }
    }
}

/// What the proxy's status means for the container `id`; nothing if the proxy does not know it. If it belongs
/// to several apps, all of them count.
fn sight(document: &Document, id: &str, drain: Option<Duration>) -> Option<Sight> {
    let mut succession: Option<Succession> = None;
    for app in &document.apps {
        let Some(mine) = app.containers.iter().find(|container| container.id == id) else { continue };
        let Some(by) = app.routed().filter(|routed| routed.is_newer_than(mine)) else {
            let newest = app.newest_after(Some(mine));
            let why = newest.map_or_else(|| super::NOTHING_NEWER.to_owned(), |newest| newest.trouble());
            let ours = if mine.is_ready() { Ours::Serves } else { Ours::NotReady(mine.trouble()) };
            return Some(Sight::Alone(Alone { why, ours }));
        };
        let before = succession.map_or(0, |succession| succession.connections.unwrap_or_default());
        let theirs = mine.drain.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        succession = Some(Succession {
            by: by.name.clone(),
            connections: Some(before + mine.connections),
            drain: drain.or(theirs).unwrap_or(super::DRAIN),
        });
    }
    succession.map(Sight::Succeeded)
}

/// A line whenever something changes that an operator would ask about. `id` is our container.
fn show(id: &str, sight: &Sight, shown: &mut Option<Result<String, Alone>>) {
    let container = super::short(id);
    let now = match sight {
        Sight::Alone(alone) => Err(alone.clone()),
        Sight::Succeeded(succession) => Ok(succession.by.clone()),
    };
    if shown.as_ref() == Some(&now) {
        return;
    }
    match sight {
        Sight::Alone(Alone { why, ours: Ours::Serves }) => {
            tracing::warn!(container, %why, "our container goes on serving: no newer one does")
        }
        Sight::Alone(Alone { why, ours: Ours::NotReady(ours) }) => {
            tracing::warn!(container, %ours, %why, "our container is kept, though it is not ready: no newer one is")
        }
        Sight::Alone(Alone { why, ours: Ours::Unknown }) => {
            tracing::warn!(container, %why, "our container is kept: no newer one serves")
        }
        Sight::Succeeded(Succession { by, connections, drain, .. }) => {
            let drain = daemon::GoDuration(*drain);
            match connections {
                Some(connections) => {
                    tracing::info!(container, %by, connections, %drain, "a newer container serves")
                }
                None => {
                    tracing::info!(container, %by, %drain, "a newer container serves; our connections cannot be counted")
                }
            }
        }
    }
    *shown = Some(now);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `routed`, then containers as `id created connections`, all of which wait 5 s to drain.
    fn app(routed: &str, containers: &[(&str, i64, usize)]) -> serde_json::Value {
        let container = |(id, created, connections): &(&str, i64, usize)| {
            serde_json::json!({
                "id": id, "name": format!("n-{id}"), "created": created, "connections": connections, "drain": 5.0,
                "state": "probing", "reason": "it refuses connections",
            })
        };
        serde_json::json!({ "routed": routed, "containers": containers.iter().map(container).collect::<Vec<_>>() })
    }

    fn document(apps: &[serde_json::Value]) -> Document {
        serde_json::from_value(serde_json::json!({ "apps": apps })).unwrap()
    }

    #[test]
    fn a_newer_one_that_is_routed_succeeds() {
        let ours = || Ours::NotReady("n-a is probing: it refuses connections".to_owned());
        let alone = |why: &str| Some(Sight::Alone(Alone { why: why.to_owned(), ours: ours() }));
        let succeeded = |by: &str, connections| {
            let drain = Duration::from_secs(5);
            Some(Sight::Succeeded(Succession { by: by.into(), connections: Some(connections), drain }))
        };
        let both = [("b", 2, 0), ("a", 1, 3)];
        let booting = "n-b is probing: it refuses connections";
        for (name, apps, expected) in [
            ("a newer one", vec![app("b", &both)], succeeded("n-b", 3)),
            ("it boots", vec![app("a", &both)], alone(booting)),
            ("nothing is routed", vec![app("", &both)], alone(booting)),
            ("only ours", vec![app("a", &[("a", 1, 3)])], alone(super::super::NOTHING_NEWER)),
            (
                "an older one is routed",
                vec![app("0", &[("a", 1, 3), ("0", 0, 1)])],
                alone(super::super::NOTHING_NEWER),
            ),
            ("of the same time, by id", vec![app("b", &[("b", 1, 0), ("a", 1, 3)])], succeeded("n-b", 3)),
            ("ours is not there", vec![app("b", &[("b", 2, 0)])], None),
            ("another app", vec![app("c", &[("c", 2, 0)]), app("b", &both)], succeeded("n-b", 3)),
            ("in two apps", vec![app("b", &both), app("b", &both)], succeeded("n-b", 6)),
            ("in two apps, one waits", vec![app("b", &both), app("a", &both)], alone(booting)),
            ("no apps", vec![], None),
        ] {
            assert_eq!(sight(&document(&apps), "a", None), expected, "{name}");
        }
    }

    #[test]
    fn a_flag_says_how_long_connections_may_go_on() {
        let given = Some(Duration::from_secs(9));
        let Some(Sight::Succeeded(by)) =
            sight(&document(&[app("b", &[("b", 2, 0), ("a", 1, 3)])]), "a", given)
        else {
            panic!("b is routed")
        };
        assert_eq!(Some(by.drain), given);
    }
    #[test]
    fn that_the_proxy_may_not_be_asked_is_said_once() {
        let newer = Newer::new(&[], None);
        let mut watch = Watch {
            id: "a".into(),
            status: "unix:/s".parse().unwrap(),
            drain: None,
            newer,
            warned: false,
            answered: None,
        };
        let of =
            |kind| anyhow::Error::from(relay::DialError::Refused(io::Error::from(kind))).context("asking");
        watch.warn(&of(io::ErrorKind::NotFound));
        assert!(!watch.warned);
        watch.warn(&of(io::ErrorKind::PermissionDenied));
        assert!(watch.warned);
    }
}
