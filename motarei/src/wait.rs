//! `motarei wait`: a deploy script's way to know that its deploy serves.

use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use tokio::time::{Instant, sleep};

use crate::selector::Label;
use crate::status::{App, Container, Document, ask};

/// How often the proxy is asked.
const LOOK: Duration = Duration::from_millis(200);

/// The flags of `motarei wait`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WaitArgs {
    /// Label of the app's containers, as the proxy has it; given several times the app must have all
    #[arg(short, long, value_name = "LABEL", required = true)]
    pub label: Vec<Label>,

    /// Id or name of the container that is to be replaced; empty: any container will do
    #[arg(long, value_name = "ID", default_value = "")]
    pub newer_than: String,

    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub timeout: GoDuration,

    /// Where the proxy answers: its --status-listen
    #[arg(long, value_name = "ADDR", default_value = crate::status::SOCKET)]
    pub status: ListenAddr,
}

const EXAMPLES: &str = "\
Example:
  old=$(docker ps -q --latest --filter label=app=web)
  start_server --restart …  or  kill -HUP PID
  motarei wait --label app=web --newer-than \"$old\" --timeout 60s

Exit status: 0 when new connections go to a newer container, whose id is printed; 1 if that has not happened
in time, and why not; 2 for a wrong flag.";

/// Waits until new connections go to a container that is newer than the given one: the ids of those, one for
/// each app that has the labels.
///
/// # Errors
/// If that has not happened in time, with the reason.
pub async fn wait(args: WaitArgs) -> Result<Vec<String>> {
    let deadline = Instant::now() + args.timeout.0;
    let mut old = Old { text: args.newer_than, known: None };
    loop {
        let why = match ask(&args.status).await {
            Ok(document) => match serving(&document, &args.label, &mut old) {
                Ok(ids) => {
                    old.warn_if_unknown();
                    return Ok(ids);
                }
                Err(why) => anyhow!(why),
            },
            // It may be about to be started, or restarted.
            Err(error) => error,
        };
        if Instant::now() + LOOK > deadline {
            return Err(why.context(format!("it does not serve after {}", args.timeout)));
        }
        sleep(LOOK).await;
    }
}

/// The container that is to be replaced.
#[derive(Debug, Default)]
struct Old {
    /// As the user names it; empty: none.
    text: String,
    /// As it was when it was last there: with `--rm` it vanishes before its successor is seen.
    known: Option<Container>,
}

impl Old {
    /// Whether it was named and never there.
    fn is_unknown(&self) -> bool {
        !self.text.is_empty() && self.known.is_none()
    }

    /// It may have been replaced before we were called, or be misspelt: the user decides.
    fn warn_if_unknown(&self) {
        if self.is_unknown() {
            let newer_than = &self.text;
            tracing::warn!(newer_than, "the proxy does not know it: taken for replaced before");
        }
    }

    fn is_replaced_by(&mut self, app: &App, routed: &Container) -> bool {
        if self.text.is_empty() {
            return true;
        }
        if let Some(container) = app.container(&self.text) {
            self.known = Some(container.clone());
        }
        // One that was never seen has been replaced before we were called.
        self.known.as_ref().is_none_or(|old| routed.is_newer_than(old))
    }
}

/// The ids that are routed, if they are those of the deploy; else why not.
fn serving(document: &Document, labels: &[Label], old: &mut Old) -> Result<Vec<String>, String> {
    let mut ids = Vec::new();
    for app in document.with_labels(labels) {
        match app.routed() {
            Some(routed) if old.is_replaced_by(app, routed) && routed.is_ready() => {
                ids.push(routed.id.clone())
            }
            _ => return Err(trouble(app, old)),
        }
    }
    match ids.is_empty() {
        true => {
            let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
            Err(format!("the proxy has no app with the label {}", labels.join(", ")))
        }
        false => Ok(ids),
    }
}

fn trouble(app: &App, old: &Old) -> String {
    let old = app.container(&old.text).or(old.known.as_ref()).filter(|_| !old.text.is_empty());
    match (app.newest_after(old), old) {
        (Some(newest), _) => newest.trouble(),
        (None, Some(old)) => format!("there is no container newer than {}", old.name),
        (None, None) => "there is no container".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(routed: &str, containers: &[(&str, i64)]) -> Document {
        let state = |id: &str| if id == routed { "ready" } else { "probing" };
        let container = |(id, created): &(&str, i64)| serde_json::json!({ "id": id, "name": format!("n-{id}"), "created": created, "state": state(id), "reason": "boots" });
        let containers: Vec<_> = containers.iter().map(container).collect();
        let app = serde_json::json!({ "labels": ["app=web"], "routed": routed, "containers": containers });
        serde_json::from_value(serde_json::json!({ "apps": [app] })).unwrap()
    }

    fn old(text: &str) -> Old {
        Old { text: text.to_owned(), known: None }
    }

    fn labels() -> Vec<Label> {
        vec!["app=web".parse().unwrap()]
    }

    #[test]
    fn a_deploy_serves_when_a_newer_one_is_routed() {
        let both = [("b1", 2), ("a1", 1)];
        for (name, routed, containers, newer_than, expected) in [
            ("newer", "b1", &both[..], "a1", Ok("b1")),
            ("by a part of the id", "b1", &both, "a", Ok("b1")),
            ("by name", "b1", &both, "n-a1", Ok("b1")),
            ("it boots", "a1", &both, "a1", Err("n-b1 is probing: boots")),
            ("itself", "b1", &both, "b1", Err("there is no container newer than n-b1")),
            ("an older one", "a1", &both, "b1", Err("there is no container newer than n-b1")),
            ("any", "b1", &both[..1], "", Ok("b1")),
            ("none routed", "", &both, "", Err("n-b1 is probing: boots")),
            ("none at all", "", &[], "", Err("there is no container")),
            ("the old one has gone before", "b1", &both[..1], "a1", Ok("b1")),
        ] {
            let ids = serving(&document(routed, containers), &labels(), &mut old(newer_than));
            let expected = expected.map(|id: &str| vec![id.to_owned()]).map_err(str::to_owned);
            assert_eq!(ids, expected, "{name}");
        }
    }

    #[test]
    fn one_that_was_never_there_is_told_from_one_that_was() {
        for (newer_than, unknown) in [("", false), ("a1", false), ("n-a1", false), ("n-a2", true)] {
            let mut old = old(newer_than);
            assert!(serving(&document("b1", &[("b1", 2), ("a1", 1)]), &labels(), &mut old).is_ok());
            assert_eq!(old.is_unknown(), unknown, "{newer_than:?}");
        }
    }

    #[test]
    fn one_that_has_vanished_is_remembered() {
        let mut old = old("b1");
        assert!(serving(&document("b1", &[("b1", 2), ("a1", 1)]), &labels(), &mut old).is_err());
        assert!(
            serving(&document("a1", &[("a1", 1)]), &labels(), &mut old).is_err(),
            "it fell back to an older one"
        );
        assert!(serving(&document("c1", &[("c1", 3), ("a1", 1)]), &labels(), &mut old).is_ok());
    }

    #[test]
    fn one_that_is_routed_for_want_of_a_better_does_not_serve() {
        let mut document = document("b1", &[("b1", 2), ("a1", 1)]);
        document.apps[0].containers[0].state = "unhealthy".to_owned();
        assert!(serving(&document, &labels(), &mut old("a1")).unwrap_err().contains("n-b1 is unhealthy"));
    }

    #[test]
    fn an_app_that_is_not_there_is_named() {
        let error =
            serving(&document("b1", &[("b1", 1)]), &["app=api".parse().unwrap()], &mut old("")).unwrap_err();
        assert!(error.contains("app=api"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_a_proxy_that_is_not_there_yet_but_not_for_ever() {
        let temp = tempfile::tempdir().unwrap();
        let status: ListenAddr = format!("unix:{}", temp.path().join("s").display()).parse().unwrap();
        let timeout = GoDuration(Duration::from_secs(60));
        let start = Instant::now();
        let args = WaitArgs { label: labels(), newer_than: String::new(), timeout, status };
        let error = format!("{:#}", wait(args).await.unwrap_err());
        assert!(error.starts_with("it does not serve after 1m: asking the proxy at unix:"), "{error}");
        assert!(start.elapsed() > Duration::from_secs(59) && start.elapsed() <= Duration::from_secs(60));
    }
}
