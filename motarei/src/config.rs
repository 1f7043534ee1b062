//! The configuration: the file read, every address typed, before anything is bound.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Result, bail};
use daemon::GoDuration;
use daemon::limits::{Lowered, max_connections};
use daemon::listen::Host;

use crate::Args;
use crate::address::{Reach, Via};
use crate::app::App;
use crate::args::BindHost;
use crate::engine::EngineAddress;
use crate::file::{AppTable, File};
use crate::rule::Rule;
use crate::status::StatusAddress;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const HOLD: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(30);
const MAX_HELD: usize = 1000;
const MAX_CONNECTIONS: usize = 10_000;

/// What `motarei` runs on.
#[derive(Debug)]
pub struct Config {
    /// At least one.
    pub apps: Vec<App>,
    /// Where containers are asked for.
    pub engine: EngineAddress,
    /// Where the status is given.
    pub status: StatusAddress,
    /// Connections at once, of all apps.
    pub max_connections: usize,
    /// Clients that wait at once, of all apps.
    pub max_held: usize,
}

impl Config {
    /// Reads the file that the flags name. `env` is the environment, `descriptors` how many may be open.
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn from_args(args: Args, env: impl Fn(&str) -> Option<String>, descriptors: u64) -> Result<Self> {
        let file = args.config.as_deref().map(File::load).transpose()?;
        let flags = AppTable::from(&args);
        let File { docker_host, status_listen, max_connections: most, max_held, apps } =
            file.unwrap_or_else(|| File { apps: vec![AppTable::default()], ..File::default() });
        let engine = EngineAddress::find(args.docker_host.as_deref().or(docker_host.as_deref()), env)?;
        let apps: Vec<_> = apps.into_iter().map(|app| flags.clone().or(app).into_app(&engine)).collect();
        check_places(&apps)?;
        let most = args.max_connections.or(most);
        Ok(Self {
            apps,
            engine,
            status: StatusAddress::or_default(args.status_listen.or(status_listen)),
            max_connections: fitting(most, descriptors),
            max_held: args.max_held.or(max_held).unwrap_or(MAX_HELD),
        })
    }

    /// Every listener that was given, with the place of its app.
    pub fn rules(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.apps.iter().enumerate().flat_map(|(index, app)| app.rules.iter().map(move |rule| (index, rule)))
    }
}

/// What the pipes take that `relay::copy` moves bulk data through, both ends of each.
const PIPES: u64 = 96;

/// A connection takes a third descriptor, to watch that its container is there. That fewer fit than the default
/// is only worth a warning if somebody wanted more.
fn fitting(wanted: Option<usize>, descriptors: u64) -> usize {
    let for_sockets = descriptors.saturating_sub(PIPES) / 3 * 2;
    let fit = max_connections(wanted.unwrap_or(MAX_CONNECTIONS), for_sockets);
    if let (Some(Lowered { wanted, allowed, .. }), true) = (fit.lowered, wanted.is_some()) {
        tracing::warn!(
            "at most {allowed} connections instead of {wanted}: each takes three descriptors, and the limit is \
             {descriptors}; raise it with LimitNOFILE= or ulimit -Hn"
        );
    }
    fit.allowed
}

/// No listener may be there twice.
fn check_places(apps: &[App]) -> Result<()> {
    let mut places = BTreeMap::new();
    for app in apps {
        for rule in &app.rules {
            let place = app.place(rule);
            if place.ends_with(":0") {
                continue;
            }
            if let Some(other) = places.insert(place, &app.name) {
                bail!(
                    "{} is listened on twice, for the apps {other} and {}; remove one of them",
                    rule.listen,
                    app.name
                );
            }
        }
    }
    Ok(())
}

impl From<&Args> for AppTable {
    fn from(args: &Args) -> Self {
        Self {
            name: None,
            labels: args.label.clone(),
            listen: args.listen.clone(),
            bind: args.bind.clone(),
            connect_via: args.connect_via,
            proxy_connect_ip: args.proxy_connect_ip,
            proxy_connect_timeout: args.proxy_connect_timeout,
            probe: args.probe.clone(),
            proxy_protocol: args.proxy_protocol,
            hold: args.hold,
            drain: args.drain,
            old_idle_close: args.old_idle_close,
        }
    }
}

impl AppTable {
    /// These settings; where there are none, those of `file`.
    fn or(self, file: Self) -> Self {
        Self {
            name: self.name.or(file.name),
            labels: if self.labels.is_empty() { file.labels } else { self.labels },
            listen: if self.listen.is_empty() { file.listen } else { self.listen },
            bind: self.bind.or(file.bind),
            connect_via: self.connect_via.or(file.connect_via),
            proxy_connect_ip: self.proxy_connect_ip.or(file.proxy_connect_ip),
            proxy_connect_timeout: self.proxy_connect_timeout.or(file.proxy_connect_timeout),
            probe: self.probe.or(file.probe),
            proxy_protocol: self.proxy_protocol.or(file.proxy_protocol),
            hold: self.hold.or(file.hold),
            drain: self.drain.or(file.drain),
            old_idle_close: self.old_idle_close.or(file.old_idle_close),
        }
    }

    fn into_app(self, engine: &EngineAddress) -> App {
        let named = || self.labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let time = |given: Option<GoDuration>, default| given.map_or(default, |given| given.0);
        App {
            name: self.name.clone().unwrap_or_else(named),
            reach: reach(self.connect_via, self.proxy_connect_ip, engine),
            bind: self.bind.map_or(Host::Ip(Ipv4Addr::UNSPECIFIED.into()), |BindHost(host)| host),
            check: self.probe.unwrap_or_default(),
            proxy_protocol: self.proxy_protocol,
            connect_timeout: time(self.proxy_connect_timeout, CONNECT_TIMEOUT),
            hold: time(self.hold, HOLD),
            drain: time(self.drain, DRAIN),
            old_idle_close: self.old_idle_close.map(|time| time.0).filter(|time| !time.is_zero()),
            labels: self.labels,
            rules: self.listen,
        }
    }
}

/// An address that was given, and a remote engine, mean the published ports: there the others are not ours.
fn reach(via: Option<Via>, given: Option<IpAddr>, engine: &EngineAddress) -> Reach {
    let remote = engine.remote_host();
    let implied = if given.is_some() || remote.is_some() { Via::Published } else { Via::Auto };
    let published_ip = given.or_else(|| remote.and_then(|host| host.parse().ok()));
    if let (Some(host), None) = (remote, published_ip)
        && host != "localhost"
    {
        tracing::warn!(engine = host, "published ports are dialled at 127.0.0.1; give --proxy-connect-ip");
    }
    Reach { via: via.unwrap_or(implied), published_ip, remote: engine.is_remote() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::argv::{self, Dash};
    use std::ffi::OsString;
    use std::io::Write;

    fn config(line: &str) -> Result<Config> {
        let words = ["motarei"].into_iter().chain(line.split_whitespace()).map(OsString::from);
        Config::from_args(argv::parse(words, Dash::Double).unwrap(), |_| None, 1024)
    }

    #[test]
    fn the_defaults_are_as_documented() {
        let config = config("--label app=web").unwrap();
        let app = &config.apps[0];
        assert_eq!((app.name.as_str(), app.bind.to_string().as_str()), ("app=web", "0.0.0.0"));
        assert_eq!((app.connect_timeout, app.hold, app.drain), (CONNECT_TIMEOUT, HOLD, DRAIN));
        assert_eq!((config.max_held, config.max_connections, app.old_idle_close), (1000, 277, None));
        assert_eq!(config.status.address.to_string(), crate::status::SOCKET);
        assert!(!config.status.given);
    }

    #[test]
    fn an_address_or_a_remote_engine_implies_the_published_port() {
        let ip = |text: &str| text.parse().ok();
        for (line, via, published_ip) in [
            ("", Via::Auto, None),
            ("--proxy-connect-ip 127.0.0.2", Via::Published, ip("127.0.0.2")),
            ("--proxy-connect-ip 127.0.0.2 --connect-via auto", Via::Auto, ip("127.0.0.2")),
            ("--docker-host tcp://10.0.0.5", Via::Published, ip("10.0.0.5")),
            ("--docker-host tcp://[::1]:2375", Via::Published, ip("::1")),
            ("--docker-host tcp://engine", Via::Published, None),
            ("--docker-host tcp://10.0.0.5 --connect-via container", Via::Container, ip("10.0.0.5")),
            ("--connect-via published", Via::Published, None),
        ] {
            let config = config(&format!("--label a {line}")).unwrap();
            let remote = line.contains("10.0.0.5") || line.contains("engine");
            assert_eq!(config.apps[0].reach, Reach { via, published_ip, remote }, "{line}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(
            file,
            "max_held = 5\n[[app]]\nlabels = ['a']\nhold = '1s'\ndrain = '1s'\n[[app]]\nlabels = ['b']"
        )
        .unwrap();
        let config =
            config(&format!("--config {} --hold 2s --max-connections 7", file.path().display())).unwrap();
        assert_eq!((config.max_held, config.max_connections), (5, 7));
        let times: Vec<_> = config
            .apps
            .iter()
            .map(|app| (app.name.as_str(), app.hold.as_secs(), app.drain.as_secs()))
            .collect();
        assert_eq!(times, [("a", 2, 1), ("b", 2, 30)]);
    }

    #[test]
    fn a_listener_that_is_there_twice_is_refused() {
        let error = config("--label a --listen :80=1 --listen :80=2").unwrap_err().to_string();
        assert!(error.contains(":80 is listened on twice"), "{error}");
        assert!(config("--label a --listen 127.0.0.1:0=1 --listen 127.0.0.2:80=1 --listen :81=1").is_ok());
    }
}
