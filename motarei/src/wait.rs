//! `motarei wait`: a deploy script's way to know that its deploy serves.

mod moment;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bollard::models::ContainerInspectResponse;
use clap::Args;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use tokio::time::{Instant, sleep};

use crate::container;
use crate::engine::{Engine, EngineAddress};
use crate::selector::Label;
use crate::status::{App, Container, Document, ask};
use moment::no_app;
pub use moment::{Moment, Reference};

/// How often the proxy is asked.
const LOOK: Duration = Duration::from_millis(200);

/// The flags of `motarei wait`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WaitArgs {
    /// Label of the app's containers, as the proxy has it; given several times the app must have all
    #[arg(short, long, value_name = "LABEL", required = true)]
    pub label: Vec<Label>,

    /// What a newer container is to serve instead of: what `motarei status --newest` said before the deploy, or
    /// the id or name of a container [default: any container will do]
    #[arg(long, value_name = "OLD")]
    pub newer_than: Option<Reference>,

    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub timeout: GoDuration,

    /// Where the proxy answers: its --status-listen
    #[arg(long, value_name = "ADDR", default_value = crate::status::SOCKET)]
    pub status: ListenAddr,

    /// The engine, which is asked when OLD was created if the proxy does not know it
    /// [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL")]
    pub docker_host: Option<String>,
}

const EXAMPLES: &str = "\
Example:
  old=$(motarei status --newest --label app=web)
  start_server --restart …  or  kill -HUP PID
  motarei wait --label app=web --newer-than \"$old\" --timeout 60s

Exit status: 0 when new connections go to a newer container, whose id is printed; 1 if that has not happened
in time, or if it cannot be known, and why not; 2 for a wrong flag.";

/// Waits until new connections go to a container that is newer than the given one: the ids of those, one for
/// each app that has the labels.
///
/// # Errors
/// If that has not happened in time, with the reason.
pub async fn wait(args: WaitArgs) -> Result<Vec<String>> {
    let deadline = Instant::now() + args.timeout.0;
    let mut old = Old { reference: args.newer_than, known: None };
    loop {
        let why = match ask(&args.status).await {
            Ok(document) => match serving(&document, &args.label, &mut old) {
                Ok(ids) => return Ok(ids),
                Err(NotYet::Because(why)) => anyhow!(why),
                Err(NotYet::Unknown(old_one)) => match created(&old_one, args.docker_host.as_deref()).await {
                    Ok(Some(moment)) => {
                        old.known = Some(moment);
                        continue;
                    }
                    Ok(None) => bail!(
                        "neither the proxy nor the engine knows {old_one}, so that nobody can say what is newer: \
                         give what `motarei status --newest` says before the deploy"
                    ),
                    Err(error) => error.context(format!("the proxy does not know {old_one}")),
                },
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

/// When the engine says that a container was created; nothing if there is none such.
async fn created(name: &str, docker_host: Option<&str>) -> Result<Option<Moment>> {
    let address = EngineAddress::find(docker_host, |name| std::env::var(name).ok())?;
    let answer = Engine::connect(&address).await?.inspect(name).await?;
    let moment = |answer: ContainerInspectResponse| {
        let created = container::created(&answer).context("the engine tells no date of it")?;
        Ok(Moment { created, id: answer.id.unwrap_or_default() })
    };
    answer.map(moment).transpose()
}

/// What is to be replaced.
#[derive(Debug, Default)]
struct Old {
    /// As the user names it; nothing if any container will do.
    reference: Option<Reference>,
    /// What is known of a container that was there: with `--rm` it vanishes before its successor is seen.
    known: Option<Moment>,
}

impl Old {
    /// The place in the order of ages after which a container is newer.
    fn moment(&mut self, app: &App) -> Result<Option<Moment>, NotYet> {
        match &self.reference {
            None => Ok(None),
            Some(Reference::Moment(moment)) => Ok(Some(moment.clone())),
            Some(Reference::Container(text)) => {
                self.known = app.container(text).map(Moment::of).or(self.known.take());
                self.known.clone().map(Some).ok_or_else(|| NotYet::Unknown(text.clone()))
            }
        }
    }
}

/// Why the deploy does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NotYet {
    /// For people.
    Because(String),
    /// What is to be replaced is no container that the proxy knows.
    Unknown(String),
}

/// The ids that are routed, if they are those of the deploy; else why not.
fn serving(document: &Document, labels: &[Label], old: &mut Old) -> Result<Vec<String>, NotYet> {
    let mut ids = Vec::new();
    for app in document.with_labels(labels) {
        let Some(routed) = app.routed() else {
            // It is not asked for elsewhere: nothing serves in any case.
            return Err(trouble(app, old.moment(app).ok().flatten()));
        };
        let moment = old.moment(app)?;
        let is_newer = moment.as_ref().is_none_or(|old| Moment::of(routed) > *old);
        if !is_newer || !routed.is_ready() {
            return Err(trouble(app, moment));
        }
        ids.push(routed.id.clone());
    }
    match ids.is_empty() {
        true => Err(NotYet::Because(no_app(labels))),
        false => Ok(ids),
    }
}

fn trouble(app: &App, old: Option<Moment>) -> NotYet {
    let newer = |one: &&Container| old.as_ref().is_none_or(|old| Moment::of(one) > *old);
    let newest = app.containers.iter().filter(newer).max_by_key(|one| one.age_order());
    let name = |old: &Moment| app.container(&old.id).map_or_else(|| old.to_string(), |one| one.name.clone());
    NotYet::Because(match (newest, &old) {
        (Some(newest), _) => newest.trouble(),
        (None, Some(old)) if old.created > 0 => format!("there is no container newer than {}", name(old)),
        (None, _) => "there is no container".to_owned(),
    })
}

#[cfg(test)]
mod tests;
