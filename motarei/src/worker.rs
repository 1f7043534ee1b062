//! `motarei run`: the worker of a start_server, which ends its container only when a newer one serves.
//!
//! ```text
//!  argv ─► Launch ─► Child ──────────────► ended ─► exit status
//!            │                               ▲
//!            └─► Finder ─► Mine ─► Watch     │ stop, kill, signals
//!                            │       │       │
//!  signals ──────────────────┴───────┴─► Lifecycle ─► Deed
//! ```

mod begun;
mod child;
mod command;
mod death_signal;
mod established;
mod finder;
mod lifecycle;
mod newer;
mod sight;
mod signals;
mod state_dir;
mod stopping;
mod watch;

use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use clap::Args;
use daemon::GoDuration;
use daemon::exit::{Failure, Stage};
use daemon::listen::ListenAddr;
use daemon::log::LogArgs;
use daemon::stop::Last;
use rustix::process::Signal;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::selector::Label;
use child::Child;
use command::Launch;
pub(crate) use established::Sockets;
use finder::{Finder, Mine};
use lifecycle::{Deed, Lifecycle, longest_stop};
use newer::Newer;
use sight::Sight;
use signals::Signals;
use state_dir::StateDir;
use watch::Watch;

/// How long connections may go on if nobody says.
const DRAIN: Duration = Duration::from_secs(30);

const NOTHING_NEWER: &str = "there is no newer container";

/// The flags of `motarei run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Label of the containers, KEY or KEY=VALUE; given several times they must carry all
    #[arg(short, long, value_name = "LABEL", required = true)]
    pub label: Vec<Label>,

    /// Where the proxy answers: its --status-listen
    #[arg(long, value_name = "ADDR", default_value = crate::status::SOCKET)]
    pub status: ListenAddr,

    /// How long connections to our container may go on when a newer one serves [default: the label
    /// motarei.drain, else the proxy's --drain, else 30s]
    #[arg(long, value_name = "TIME")]
    pub drain: Option<GoDuration>,

    /// How long a newer container must have served before ours may end, so that there is one to go back to;
    /// at least 1s
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub settle: GoDuration,

    /// How long the container may take to end before it is killed, rounded up to seconds
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub stop_timeout: GoDuration,

    /// The engine: unix:///path, tcp://host:port or https://host:port
    /// [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL")]
    pub docker_host: Option<String>,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,

    /// docker run …, podman run …, or a script that has the container's id written to MOTAREI_CIDFILE
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  start_server --signal-on-hup=USR1 --signal-on-term=TERM -- \\
      motarei run --label app=web -- docker run --rm -P -l app=web IMAGE
  motarei run --label app=web -- ./start.sh
      start.sh:  exec docker run --cidfile \"$MOTAREI_CIDFILE\" --rm -P -l app=web IMAGE

Signals: USR1 ends the container when a newer one has served for --settle, and this one has no connections or
--drain is over.
TERM and INT stop it; one that comes a second later or more kills it, under start_server only INT, since
start_server passes on what systemd or a terminal tells us too. HUP, QUIT and WINCH go to the command.
Exit status: 0 after a stop; else the command's, 128+n for a signal n; 2 for a wrong flag.";

/// What the worker's tasks tell.
#[derive(Debug)]
enum Event {
    Found(Mine),
    /// Several may be it; this one came first.
    Presumed(Mine),
    Lost,
    Saw(Sight),
    NotStopped,
    NotKilled,
}

/// Runs the command to its end, which is the exit status, and must be called on the main thread: the command
/// is told when that ends.
///
/// # Errors
/// If the command is none that can be watched over, or a directory for its id cannot be made.
pub async fn run(args: RunArgs) -> Result<u8, Failure> {
    // Before anything else: until then USR1 would end us.
    let signals = Signals::hear().running()?;
    let begun = begun::begun();
    let state = StateDir::open(|name| std::env::var(name).ok()).running()?;
    let private = state.cidfile().running()?;
    let launch = Launch::read(&args.command, &private.0, args.docker_host.as_deref(), begun).configuring()?;
    let child = match Child::start(&launch.argv, &launch.cidfile) {
        Ok(child) => child,
        Err(error) => {
            let program = args.command[0].to_string_lossy();
            tracing::error!(%program, %error, "the command cannot be started");
            return Ok(child::status_of(&error));
        }
    };
    let (tell, events) = unbounded_channel();
    let mut worker = Worker::new(args, launch, child, tell);
    worker.find(begun, state);
    worker.run(signals, events).await
}

#[derive(Debug)]
struct Worker {
    args: RunArgs,
    launch: Launch,
    child: Child,
    lifecycle: Lifecycle,
    mine: Option<Mine>,
    /// What may be ours, if that is not known.
    presumed: Option<Mine>,
    /// All end with us.
    tasks: JoinSet<()>,
    watch: Option<AbortHandle>,
    /// A signal has asked for the end.
    awaited: bool,
    /// When that becomes a kill.
    overdue: Option<Instant>,
    tell: UnboundedSender<Event>,
}

impl Worker {
    fn new(args: RunArgs, launch: Launch, child: Child, tell: UnboundedSender<Event>) -> Self {
        let lifecycle = Lifecycle::new(Last::here(|name| std::env::var_os(name)), args.settle.0);
        let tasks = JoinSet::new();
        Self {
            args,
            launch,
            child,
            lifecycle,
            mine: None,
            presumed: None,
            tasks,
            watch: None,
            awaited: false,
            overdue: None,
            tell,
        }
    }

    fn find(&mut self, since: SystemTime, state: StateDir) {
        let (cidfile, certain, newer) = (self.launch.cidfile.clone(), self.launch.certain, self.newer());
        self.tasks.spawn(Finder { cidfile, certain, since, state, newer }.run(self.tell.clone()));
    }

    async fn run(
        mut self,
        mut signals: Signals,
        mut events: UnboundedReceiver<Event>,
    ) -> Result<u8, Failure> {
        loop {
            let overdue = self.overdue;
            let deed = tokio::select! {
                ended = self.child.ended() => return Ok(self.status(ended.running()?)),
                told = signals.next() => {
                    tracing::debug!(?told, "a signal");
                    self.lifecycle.told(told, Instant::now())
                }
                Some(event) = events.recv() => self.on(event),
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => self.lifecycle.overdue(),
            };
            self.act(deed);
        }
    }

    fn on(&mut self, event: Event) -> Deed {
        match event {
            Event::Found(mine) => {
                tracing::info!(container = short(&mine.id), "this is ours");
                self.mine = Some(mine);
                self.end_watch();
                self.lifecycle.found()
            }
            Event::Presumed(mine) => {
                self.presumed = Some(mine);
                self.lifecycle.presumed();
                Deed::Nothing
            }
            Event::Lost => self.lifecycle.lost(),
            Event::Saw(sight) => self.lifecycle.saw(&sight, Instant::now()),
            Event::NotStopped => Deed::Pass(Signal::TERM),
            Event::NotKilled => Deed::Pass(Signal::KILL),
        }
    }

    fn act(&mut self, deed: Deed) {
        let (tool, tell) = (self.launch.tool.clone(), self.tell.clone());
        let id = self.mine.as_ref().map(|mine| mine.id.clone());
        match (deed, id) {
            (Deed::Nothing, _) => {}
            (Deed::Pass(signal), _) => self.child.tell(signal),
            (Deed::Stop, Some(id)) => {
                tracing::info!(container = short(&id), "stopping it");
                self.tasks.spawn(stopping::stop(tool, id, self.args.stop_timeout.0, tell));
            }
            // It is known, or the lifecycle would not say so.
            (Deed::Stop, None) => self.child.tell(Signal::TERM),
            (Deed::Kill, id) => {
                self.overdue = None;
                tracing::warn!(container = id.as_deref().map(short), "killing it");
                self.tasks.spawn(stopping::kill(tool, id, tell));
            }
        }
        self.follow();
    }

    /// What goes with the state that the lifecycle is in now.
    fn follow(&mut self) {
        if self.lifecycle.is_awaited() && !self.awaited {
            self.awaited = true;
            self.overdue = Some(Instant::now() + longest_stop(self.args.stop_timeout.0));
        }
        match (self.lifecycle.is_watching(), self.mine.as_ref().or(self.presumed.as_ref()), &self.watch) {
            (true, Some(mine), None) => {
                let (id, status, newer) = (mine.id.clone(), self.args.status.clone(), self.newer());
                let drain = self.args.drain.map(|drain| drain.0);
                let watch = Watch { id, status, drain, newer, warned: false, answered: None };
                self.watch = Some(self.tasks.spawn(watch.run(self.tell.clone())));
            }
            (false, _, Some(_)) => self.end_watch(),
            _ => {}
        }
    }

    fn end_watch(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    fn newer(&self) -> Newer {
        let given = self.args.docker_host.as_deref();
        Newer::new(&self.args.label, given.or(self.launch.engine.as_deref()))
    }

    fn status(&self, ended: u8) -> u8 {
        let wanted = self.lifecycle.is_stopping();
        tracing::debug!(status = ended, wanted, "the command has ended");
        if wanted { 0 } else { ended }
    }
}

/// The first 12 digits of an id, as the engine's own tools show it.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
