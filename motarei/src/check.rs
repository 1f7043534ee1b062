//! `motarei check`: warns about what will bite at the next deploy.

mod container;
mod signals;

use std::fmt;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use daemon::exit::{Failure, Stage};
use daemon::{GoDuration, InvalidDuration};

use crate::container::{Container, Inspected, is_ours};
use crate::engine::{ApiVersion, Engine, EngineAddress};
use crate::first_process::FirstProcess;
use crate::selector::Label;
use crate::worker::Sockets;
use container::Facts;

/// Docker 20.10's.
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// The flags of `motarei check`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Exit status: 0 if there is nothing to warn about, 1 if there is, or if the engine cannot be \
                  asked, 2 for a wrong flag or variable."
)]
pub struct CheckArgs {
    /// Label of the containers, KEY or KEY=VALUE; given several times they must carry all
    #[arg(short, long, value_name = "LABEL", required = true)]
    pub label: Vec<Label>,

    /// start_server's KILL_OLD_DELAY, in seconds as there (5) or as a time (5s)
    /// [default: the variable KILL_OLD_DELAY, else 0, as start_server has it]
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub kill_old_delay: Option<GoDuration>,

    /// The engine: unix:///path, tcp://host:port or https://host:port
    /// [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL")]
    pub docker_host: Option<String>,
}

/// One thing that will bite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A container's name, or the engine.
    pub about: String,
    /// What, why and what to do.
    pub text: String,
}

/// The line for people.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.text)
    }
}

/// Looks at the engine and at the running containers with the label.
///
/// # Errors
/// If the engine cannot be asked, or a variable that says where it is cannot be read.
pub async fn check(args: CheckArgs, env: impl Fn(&str) -> Option<String>) -> Result<Vec<Warning>, Failure> {
    let delay = kill_old_delay(args.kill_old_delay, env("KILL_OLD_DELAY")).configuring()?;
    let address = EngineAddress::find(args.docker_host.as_deref(), env).configuring()?;
    look(&args.label, delay, &address).await.running()
}

async fn look(label: &[Label], delay: Duration, address: &EngineAddress) -> Result<Vec<Warning>> {
    let engine = Engine::connect(address).await?;
    let api = engine.api.parse().ok();
    let mut warnings: Vec<_> = of_engine(api, &engine.version).into_iter().collect();
    let listed = engine.list(label).await?;
    if listed.is_empty() {
        let labels: Vec<_> = label.iter().map(ToString::to_string).collect();
        warnings.push(about_engine(format!(
            "no running container carries {}: is it docker run -l …?",
            labels.join(", ")
        )));
    }
    for summary in listed {
        let id = summary.id.clone().unwrap_or_default();
        let Some(inspected) = engine.inspect(&id).await? else { continue };
        let created = Inspected::read(&inspected);
        let pid = inspected.state.as_ref().and_then(|state| state.pid).filter(|_| engine.local);
        let process = pid.and_then(|pid| FirstProcess::of(&id, pid));
        warnings.extend(container::warnings(&Facts {
            container: created.and_then(|created| Container::read(summary, &created, &is_ours)),
            status: process.as_ref().and_then(|process| process.read("status")),
            sockets: process.as_ref().and_then(Sockets::of),
            inspected,
            kill_old_delay: delay,
            api,
        }));
    }
    Ok(warnings)
}

fn kill_old_delay(flag: Option<GoDuration>, variable: Option<String>) -> Result<Duration> {
    match (flag, variable.filter(|text| !text.is_empty())) {
        (Some(flag), _) => Ok(flag.0),
        (None, Some(text)) => {
            let seconds = text
                .trim()
                .parse()
                .map_err(|_| anyhow!("KILL_OLD_DELAY {text:?}: write a number of seconds"));
            seconds.map(Duration::from_secs)
        }
        (None, None) => Ok(Duration::ZERO),
    }
}

fn delay(text: &str) -> Result<GoDuration, InvalidDuration> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(GoDuration(Duration::from_secs(seconds.into()))),
        Err(_) => text.parse(),
    }
}

fn of_engine(api: Option<ApiVersion>, version: &str) -> Option<Warning> {
    let old = api.filter(|api| *api < OLDEST)?;
    Some(about_engine(format!(
        "version {version} speaks API {old}; what is older than {OLDEST} (Docker 20.10) is not tested"
    )))
}

fn about_engine(text: String) -> Warning {
    Warning { about: "engine".to_owned(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_that_of_start_server() {
        let seconds = |n| Some(Duration::from_secs(n));
        let flag = Some(GoDuration(Duration::from_secs(9)));
        for (flag, variable, expected) in [
            (None, None, seconds(0)),
            (None, Some(""), seconds(0)),
            (None, Some("5"), seconds(5)),
            (flag, Some("5"), seconds(9)),
            (None, Some("5s"), None),
        ] {
            assert_eq!(
                kill_old_delay(flag, variable.map(str::to_owned)).ok(),
                expected,
                "{flag:?} {variable:?}"
            );
        }
    }

    #[test]
    fn the_flag_is_in_seconds_or_has_a_unit() {
        for (text, milliseconds) in
            [("5", Some(5000)), ("5s", Some(5000)), ("1.5s", Some(1500)), ("0", Some(0)), ("soon", None)]
        {
            assert_eq!(delay(text).ok().map(|delay| delay.0.as_millis()), milliseconds, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_written_wrong_is_told_from_what_will_bite() {
        for (variable, value, expected) in [
            ("KILL_OLD_DELAY", "soon", true),
            ("DOCKER_HOST", "nowhere", true),
            ("DOCKER_HOST", "unix:///proc/none", false),
        ] {
            let args =
                CheckArgs { label: vec!["app".parse().unwrap()], kill_old_delay: None, docker_host: None };
            let env = |name: &str| (name == variable).then(|| value.to_owned());
            let failure = check(args, env).await.unwrap_err();
            assert_eq!(matches!(failure, Failure::Configuration(_)), expected, "{value}");
        }
    }

    #[test]
    fn an_old_engine_is_named() {
        for (api, warned) in [("1.40", true), ("1.41", false), ("1.50", false), ("2.0", false)] {
            assert_eq!(of_engine(api.parse().ok(), "19.03").is_some(), warned, "{api}");
        }
        assert_eq!(of_engine(None, ""), None);
    }
}
