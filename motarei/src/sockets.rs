//! The sockets that are there at start: inherited, or bound for `--listen`.

use std::fmt;

use anyhow::{Result, bail};
use daemon::inherit::{self, Inherited};
use daemon::listen::{self, ListenAddr, Listener};

use crate::Config;
use crate::rule::Rule;

/// Listening sockets, and whose they are.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Of each rule that has one.
    pub bound: Vec<Bound>,
    /// Rules that could not be bound yet; each was logged.
    pub failed: Vec<Failed>,
    /// Inherited ones whose port no rule names: for the containers' ports.
    pub spare: Vec<Listener>,
    /// For the status, if it was inherited.
    pub status: Vec<Listener>,
}

/// The sockets of a rule.
#[derive(Debug)]
pub struct Bound {
    /// The app's place in the configuration.
    pub app: usize,
    /// What they are for.
    pub rule: Rule,
    /// At least one.
    pub listeners: Vec<Listener>,
    /// From start_server or systemd: never closed while we run.
    pub inherited: bool,
}

/// A rule that could not be bound.
#[derive(Debug)]
pub struct Failed {
    /// The app's place in the configuration.
    pub app: usize,
    /// What was to be bound.
    pub rule: Rule,
    /// Why it was not.
    pub error: String,
}

impl Sockets {
    /// Takes the inherited sockets and binds the rules that have none.
    ///
    /// # Errors
    /// A malformed announcement, an inherited socket that nobody needs, or if there are rules and none of
    /// them could be bound.
    pub async fn open(config: &Config) -> Result<Self> {
        let mut sockets = Self::default();
        for inherited in inherit::from_process()?.unwrap_or_default() {
            sockets.assign(config, inherited)?;
        }
        for (app, rule) in config.rules() {
            if !sockets.bound.iter().any(|bound| (bound.app, &bound.rule) == (app, rule)) {
                sockets.bind(app, rule).await;
            }
        }
        if sockets.bound.is_empty()
            && let Some(failed) = sockets.failed.first()
        {
            bail!("no listener could be bound: {}", failed.error);
        }
        Ok(sockets)
    }

    async fn bind(&mut self, app: usize, rule: &Rule) {
        match listen::bind(&rule.listen).await {
            Ok(listeners) => self.bound.push(Bound { app, rule: rule.clone(), listeners, inherited: false }),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(%error, "not bound, trying again every 10 s");
                self.failed.push(Failed { app, rule: rule.clone(), error });
            }
        }
    }

    /// An inherited socket that is called `status` is for that. Another one is that of the rule with its port or
    /// path, else the status's, else one for a private port of the same number.
    fn assign(&mut self, config: &Config, Inherited { listener, name }: Inherited) -> Result<()> {
        if name.as_deref() == Some("status") {
            self.status.push(listener);
            return Ok(());
        }
        if let Some((app, rule)) = config
            .rules()
            .filter(|(_, rule)| fits(&rule.listen, &listener))
            .max_by_key(|(_, rule)| rule.listen.to_string() == listener.to_string())
        {
            self.add(app, rule.clone(), listener);
            return Ok(());
        }
        if fits(&config.status.address, &listener) {
            self.status.push(listener);
            return Ok(());
        }
        let mut automatic = config.apps.iter().enumerate().filter(|(_, app)| app.rules.is_empty());
        match (listener.tcp_addr()?, automatic.next(), automatic.next()) {
            (Some(address), Some((index, app)), None) => {
                let rule = Rule::same_port(&app.bind, address.port());
                self.add(index, rule, listener);
            }
            (Some(_), Some(_), Some(_)) => self.spare.push(listener),
            _ => bail!("{} was inherited, and no --listen has its port", Named(&listener, name.as_deref())),
        }
        Ok(())
    }

    fn add(&mut self, app: usize, rule: Rule, listener: Listener) {
        let same = |bound: &&mut Bound| (bound.app, &bound.rule) == (app, &rule);
        match self.bound.iter_mut().find(same) {
            Some(bound) => bound.listeners.push(listener),
            None => self.bound.push(Bound { app, rule, listeners: vec![listener], inherited: true }),
        }
    }
}

/// Whether an inherited socket may be the one that was written: the port says so, whatever the host.
pub(crate) fn fits(written: &ListenAddr, listener: &Listener) -> bool {
    match (written, listener.tcp_addr()) {
        (ListenAddr::Tcp { port, .. }, Ok(Some(address))) => *port == address.port(),
        (ListenAddr::Unix(_), Ok(None)) => written.to_string() == listener.to_string(),
        _ => false,
    }
}

/// A socket as its announcement calls it.
struct Named<'a>(&'a Listener, Option<&'a str>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
