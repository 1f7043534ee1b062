//! The container engine: where it is, and the few questions that discovery asks it, each under a deadline.

mod address;
mod tls;
mod trouble;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bollard::models::{ContainerInspectResponse, ContainerSummary, EventMessage};
use bollard::query_parameters::{EventsOptions, ListContainersOptions};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use futures_core::Stream;
use tokio::time::timeout;

use crate::event::{ACTIONS, Event};
use crate::selector::Label;
pub use address::{ApiVersion, EngineAddress, Transport};

/// What a call may take.
const CALL: Duration = Duration::from_secs(5);

/// The oldest API that is known to say all that is needed: Docker 20.10's.
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// An engine that has answered.
#[derive(Debug)]
pub(crate) struct Engine {
    docker: Docker,
    /// As it calls itself.
    pub(crate) version: String,
    /// The newest API that it speaks.
    pub(crate) api: String,
    /// Its networks may be this host's: it is reached over a unix socket, and not rootless.
    pub(crate) local: bool,
}

impl Engine {
    /// Asks who is there.
    ///
    /// # Errors
    /// If nobody answers, or not in time.
    pub(crate) async fn connect(address: &EngineAddress) -> Result<Self> {
        let docker =
            client(address).map_err(trouble::told).with_context(|| format!("{}", address.transport))?;
        let told = asked(docker.version()).await.with_context(|| format!("{}", address.transport))?;
        let local = matches!(address.transport, Transport::Unix(_)) && !is_rootless(&docker).await;
        let engine = Self {
            docker,
            version: told.version.unwrap_or_default(),
            api: told.api_version.unwrap_or_default(),
            local,
        };
        if engine.api.parse::<ApiVersion>().is_ok_and(|api| api < OLDEST) {
            let (api, engine) = (&engine.api, &engine.version);
            tracing::warn!(%api, %engine, "the engine's API is older than {OLDEST}: what it does not tell is missed");
        }
        Ok(engine)
    }

    /// The running and paused containers that carry all of `labels`.
    pub(crate) async fn list(&self, labels: &[Label]) -> Result<Vec<ContainerSummary>> {
        let labels = labels.iter().map(Label::to_string).collect();
        let filters = HashMap::from([
            ("label".to_owned(), labels),
            ("status".to_owned(), ["running", "paused"].map(str::to_owned).to_vec()),
        ]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        asked(self.docker.list_containers(Some(options))).await.context("listing containers")
    }

    /// All about one container; nothing if it is there no more.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Option<ContainerInspectResponse>> {
        let answer = timeout(CALL, self.docker.inspect_container(id, None)).await;
        match answer.context("inspecting a container: no answer in 5 s")? {
            Ok(answer) => Ok(Some(answer)),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(trouble::told(error.into())).context("inspecting a container"),
        }
    }

    /// What happens to containers from now on.
    ///
    /// Labels are not asked for: the events of networks have none, and are needed too.
    pub(crate) fn events(&self) -> Events {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let filters = HashMap::from([
            ("type".to_owned(), strings(&["container", "network"])),
            ("event".to_owned(), strings(&ACTIONS)),
        ]);
        let options = EventsOptions { filters: Some(filters), ..Default::default() };
        Events(Box::pin(self.docker.events(Some(options))))
    }
}

/// The stream of events.
pub(crate) struct Events(Pin<Box<dyn Stream<Item = Result<EventMessage, bollard::errors::Error>> + Send>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// The next event about a container. Dropping the future loses none.
    ///
    /// # Errors
    /// If the stream has ended, in whichever way.
    pub(crate) async fn next(&mut self) -> Result<Event> {
        loop {
            match poll_fn(|cx| self.0.as_mut().poll_next(cx)).await {
                Some(Ok(message)) => {
                    if let Some(event) = Event::read(message) {
                        return Ok(event);
                    }
                }
                Some(Err(error)) => return Err(trouble::told(error.into()).context("the event stream")),
                None => bail!("the event stream has ended"),
            }
        }
    }
}

/// A rootless engine's bridges are in a network of its own, where this host's addresses mean others. An engine
/// that cannot say is none: it is older than that, or speaks another dialect.
async fn is_rootless(docker: &Docker) -> bool {
    let info =
        asked(docker.info()).await.inspect_err(|error| tracing::debug!(%error, "no word of the options"));
    let options = info.ok().and_then(|info| info.security_options).unwrap_or_default();
    options.iter().any(|option| option.contains("rootless"))
}

async fn asked<T>(call: impl Future<Output = Result<T, bollard::errors::Error>>) -> Result<T> {
    let answer = timeout(CALL, call).await.map_err(|_| anyhow!("no answer in {} s", CALL.as_secs()))?;
    answer.map_err(|error| trouble::told(error.into()))
}

fn client(address: &EngineAddress) -> Result<Docker> {
    let seconds = CALL.as_secs();
    let docker = match &address.transport {
        Transport::Unix(path) => {
            Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION)?
        }
        Transport::Tcp(host) => Docker::connect_with_http(host, seconds, API_DEFAULT_VERSION)?,
        Transport::Tls { host, certificates } => tls::client(host, certificates, seconds)?,
    };
    // The client leaves the version out of its paths: then the engine takes its own newest.
    Ok(match address.api {
        None => docker,
        Some(api) => docker.with_request_modifier(move |request| versioned(request, api)),
    })
}

fn versioned(mut request: BollardRequest, api: ApiVersion) -> BollardRequest {
    let mut parts = request.uri().clone().into_parts();
    let path = parts.path_and_query.as_ref().map_or("/", |path| path.as_str());
    parts.path_and_query = format!("/v{api}{path}").parse().ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
