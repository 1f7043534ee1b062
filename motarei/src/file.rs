//! The file of `--config`: several apps in one process.
//!
//! ```toml
//! docker_host = "unix:///var/run/docker.sock"
//! status_listen = "unix:/run/wsgate/motarei.sock"
//! max_connections = 10000
//! max_held = 1000
//!
//! [[app]]
//! name = "web"
//! labels = ["app=web"]
//! listen = ["0.0.0.0:80=8000", "unix:/run/web.sock=8000"]
//! probe = "http:/health"
//! hold = "10s"
//! ```
//!
//! An app has the flags of the same names: bind, connect_via, proxy_connect_ip, proxy_connect_timeout, probe,
//! proxy_protocol, hold, drain, old_idle_close. A key that is not known is an error, and every error names file
//! and line. A flag wins over the file.

use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use relay::proxy::Version;
use serde::Deserialize;
use toml::Spanned;

use crate::address::Via;
use crate::args::BindHost;
use crate::engine::EngineAddress;
use crate::probe::Check;
use crate::rule::Rule;
use crate::selector::Label;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) docker_host: Option<String>,
    pub(crate) status_listen: Option<ListenAddr>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_held: Option<usize>,
    pub(crate) apps: Vec<AppTable>,
}

/// What a file or flags say of an app.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppTable {
    pub(crate) name: Option<String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) listen: Vec<Rule>,
    pub(crate) bind: Option<BindHost>,
    pub(crate) connect_via: Option<Via>,
    pub(crate) proxy_connect_ip: Option<IpAddr>,
    pub(crate) proxy_connect_timeout: Option<GoDuration>,
    pub(crate) probe: Option<Check>,
    pub(crate) proxy_protocol: Option<Version>,
    pub(crate) hold: Option<GoDuration>,
    pub(crate) drain: Option<GoDuration>,
    pub(crate) old_idle_close: Option<GoDuration>,
}

/// A text and where it is.
type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    docker_host: Option<Text>,
    status_listen: Option<Text>,
    max_connections: Option<Spanned<i64>>,
    max_held: Option<Spanned<i64>>,
    #[serde(default, rename = "app")]
    apps: Vec<Spanned<RawApp>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    name: Option<Text>,
    #[serde(default, alias = "label")]
    labels: Vec<Text>,
    #[serde(default)]
    listen: Vec<Text>,
    bind: Option<Text>,
    connect_via: Option<Text>,
    proxy_connect_ip: Option<Text>,
    proxy_connect_timeout: Option<Text>,
    probe: Option<Text>,
    proxy_protocol: Option<Text>,
    hold: Option<Text>,
    drain: Option<Text>,
    old_idle_close: Option<Text>,
}

/// Something wrong at a place.
#[derive(Debug)]
struct Wrong {
    at: Range<usize>,
    what: String,
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The first thing wrong, as `file:line: what`.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        Self::read(text).map_err(|Wrong { at, what }| {
            let line = 1 + text.bytes().take(at.start).filter(|b| *b == b'\n').count();
            anyhow!("{}:{line}: {what}", path.display())
        })
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let raw: RawFile = toml::from_str(text).map_err(|error| Wrong {
            at: error.span().unwrap_or_default(),
            what: error.message().replace('\n', "; "),
        })?;
        let mut apps: Vec<AppTable> = Vec::new();
        for app in raw.apps {
            let at = app.span();
            let app = AppTable::read(app.into_inner(), at.clone())?;
            if apps.iter().any(|other| other.name == app.name && app.name.is_some()) {
                let name = app.name.unwrap_or_default();
                return Err(Wrong {
                    at,
                    what: format!("there is another app of the name {name:?}; rename one of them"),
                });
            }
            apps.push(app);
        }
        if apps.is_empty() {
            let what = "there is no app; write [[app]] with labels = [\"app=web\"]".to_owned();
            return Err(Wrong { at: 0..0, what });
        }
        Ok(Self {
            docker_host: raw.docker_host.map(engine).transpose()?,
            status_listen: one(raw.status_listen)?,
            max_connections: count(raw.max_connections)?,
            max_held: count(raw.max_held)?,
            apps,
        })
    }
}

impl AppTable {
    fn read(raw: RawApp, at: Range<usize>) -> Result<Self, Wrong> {
        if raw.labels.is_empty() {
            let what = "the app has no labels; write labels = [\"app=web\"]".to_owned();
            return Err(Wrong { at, what });
        }
        Ok(Self {
            name: raw.name.map(Spanned::into_inner),
            labels: raw.labels.into_iter().map(value).collect::<Result<_, _>>()?,
            listen: raw.listen.into_iter().map(value).collect::<Result<_, _>>()?,
            bind: one(raw.bind)?,
            connect_via: one(raw.connect_via)?,
            proxy_connect_ip: one(raw.proxy_connect_ip)?,
            proxy_connect_timeout: one(raw.proxy_connect_timeout)?,
            probe: one(raw.probe)?,
            proxy_protocol: one(raw.proxy_protocol)?,
            hold: one(raw.hold)?,
            drain: one(raw.drain)?,
            old_idle_close: one(raw.old_idle_close)?,
        })
    }
}

fn one<T: FromStr<Err: Display>>(text: Option<Text>) -> Result<Option<T>, Wrong> {
    text.map(value).transpose()
}

fn value<T: FromStr<Err: Display>>(text: Text) -> Result<T, Wrong> {
    let at = text.span();
    let text = text.into_inner();
    text.parse().map_err(|error: T::Err| Wrong { at, what: format!("{text:?}: {error}") })
}

/// Looked at here, since what is wrong has a line here.
fn engine(text: Text) -> Result<String, Wrong> {
    let at = text.span();
    let wrong = |error| Wrong { at, what: format!("docker_host: {error:#}") };
    // Where certificates are is for the environment to say.
    let env = |name: &str| (name == "DOCKER_CERT_PATH").then(|| ".".to_owned());
    EngineAddress::find(Some(text.get_ref()), env).map_err(wrong)?;
    Ok(text.into_inner())
}

/// With the bounds of the flags.
fn count(number: Option<Spanned<i64>>) -> Result<Option<usize>, Wrong> {
    let Some(number) = number else { return Ok(None) };
    let at = number.span();
    let in_bounds =
        usize::try_from(number.into_inner()).ok().filter(|number| (1..=1_000_000).contains(number));
    let wrong = || Wrong { at, what: "the number is from 1 to 1000000".to_owned() };
    in_bounds.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File> {
        File::parse(text, Path::new("m.toml"))
    }

    #[test]
    fn reads_every_key() {
        let file = parse(
            r#"
            docker_host = "unix:///x"
            status_listen = "unix:/s"
            max_connections = 7
            max_held = 8
            [[app]]
            name = "web"
            labels = ["app=web", "env"]
            listen = [":80=8000"]
            bind = "127.0.0.1"
            connect_via = "container"
            proxy_connect_ip = "127.0.0.2"
            proxy_connect_timeout = "1s"
            probe = "http:/up"
            proxy_protocol = "v2"
            hold = "2s"
            drain = "3s"
            old_idle_close = "4s"
            [[app]]
            label = ["app=api"]
            "#,
        )
        .unwrap();
        assert_eq!(
            (file.max_connections, file.max_held, file.docker_host.as_deref()),
            (Some(7), Some(8), Some("unix:///x"))
        );
        let [web, api] = &file.apps[..] else { panic!("two apps") };
        assert_eq!((web.labels.len(), web.listen.len(), web.connect_via), (2, 1, Some(Via::Container)));
        let seconds = [web.proxy_connect_timeout, web.hold, web.drain, web.old_idle_close]
            .map(|t| t.unwrap().0.as_secs());
        assert_eq!(seconds, [1, 2, 3, 4]);
        assert_eq!(
            (web.probe.clone(), web.proxy_protocol),
            (Some(Check::Http("/up".into())), Some(Version::V2))
        );
        assert!(api.name.is_none() && api.listen.is_empty() && api.hold.is_none());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, expected) in [
            ("", "m.toml:1: there is no app"),
            ("x = 1", "m.toml:1: unknown field `x`"),
            ("\n[[app]]\nname = 'a'", "m.toml:2: the app has no labels"),
            ("[[app]]\nlabels = ['a']\nlisten = [\n':80',\n'80']", "m.toml:5: \"80\": bad listener"),
            ("[[app]]\nlabels = ['a']\nhold = '10'", "m.toml:3: \"10\": bad duration"),
            ("[[app]]\nlabels = ['a']\nhold = 10", "m.toml:3: invalid type"),
            ("[[app]]\nlabels = ['a']\nholds = '10s'", "m.toml:3: unknown field `holds`"),
            ("docker_host = 'foo'\n[[app]]\nlabels = ['a']", "m.toml:1: docker_host"),
            ("max_held = 0\n[[app]]\nlabels = ['a']", "m.toml:1: the number is from 1"),
            (
                "[[app]]\nname = 'a'\nlabels = ['a']\n[[app]]\nname = 'a'\nlabels = ['b']",
                "m.toml:4: there is another app",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
