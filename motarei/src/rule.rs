//! One listener and the port of the containers behind it: `0.0.0.0:80=8000`, `unix:/run/web.sock=8000`.

use std::fmt;
use std::str::FromStr;

use daemon::listen::{Host, ListenAddr};

/// Connections to `listen` go to `port` of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where to listen.
    pub listen: ListenAddr,
    /// The container's own (private) port, never 0.
    pub port: u16,
}

/// Why a text is no [`Rule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad listener {text:?}: {why}")]
pub struct BadRule {
    text: String,
    why: String,
}

impl Rule {
    /// The listener of a private port that no rule names: the same number on `host`.
    pub fn same_port(host: &Host, port: u16) -> Self {
        Self { listen: ListenAddr::Tcp { host: host.clone(), port }, port }
    }
}

/// `ADDR=PORT`, or `ADDR` alone, whose port is then that of the container too.
impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = |why: &str| BadRule { text: text.to_owned(), why: why.to_owned() };
        let address = |text: &str| text.parse::<ListenAddr>().map_err(|error| bad(&error.why));
        // The last one, because the path of a unix socket may hold one.
        if let Some((listen, port)) = text.rsplit_once('=') {
            let port = port.parse().ok().filter(|port| *port != 0);
            let port = port.ok_or_else(|| bad("the container's port is a number from 1 to 65535"))?;
            return Ok(Self { listen: address(listen)?, port });
        }
        match address(text)? {
            ListenAddr::Tcp { port: 0, .. } | ListenAddr::Unix(_) => {
                Err(bad("say which port of the container, as in unix:/run/web.sock=8000"))
            }
            listen @ ListenAddr::Tcp { port, .. } => Ok(Self { listen, port }),
        }
    }
}

/// The form that is parsed.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.listen, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, printed) in [
            ("0.0.0.0:80=8000", "0.0.0.0:80=8000"),
            (":80", ":80=80"),
            ("[::1]:443=8443", "[::1]:443=8443"),
            ("unix:/run/a=b.sock=8000", "unix:/run/a=b.sock=8000"),
            ("127.0.0.1:0=80", "127.0.0.1:0=80"),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn refuses_with_the_fix() {
        for (text, why) in [
            ("", "missing port"),
            ("80", "missing port"),
            (":80=", "from 1 to 65535"),
            (":80=0", "from 1 to 65535"),
            (":80=http", "from 1 to 65535"),
            (":0", "which port of the container"),
            ("unix:/run/web.sock", "which port of the container"),
            ("a b:80=80", "no host name"),
        ] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
