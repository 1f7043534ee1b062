//! Which connection goes through which proxy.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::without::Without;
use crate::{Host, Scheme, Url};

/// A forward proxy that is asked with HTTP CONNECT, in the clear: `http://user:password@host:port`,
/// also without the scheme. User and password are percent-encoded; the port is 80 if not given.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it listens
    pub host: Host,
    /// Where it listens
    pub port: u16,
    /// `Basic …` (RFC 7617 §2)
    pub(super) authorization: Option<String>,
}

/// A text that is no [`Proxy`]. It does not repeat the text, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ProxyError {
    /// The flag or the environment variable
    pub name: &'static str,
    /// What is wrong with it
    pub reason: &'static str,
}

/// Which proxy a URL is reached through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRule {
    proxy: Option<Proxy>,
    chosen: Chosen,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Chosen {
    ByFlag,
    ByEnvironment(Without),
}

impl ProxyRule {
    /// No proxy for anybody.
    pub fn none() -> Self {
        ProxyRule { proxy: None, chosen: Chosen::ByFlag }
    }

    /// The rule that `--proxy` makes: a proxy's URL, or `none`. Without the flag the environment does:
    /// `HTTPS_PROXY` or `https_proxy`, and `NO_PROXY` or `no_proxy` for whom not to use it. Of each the
    /// first that is not empty counts. `NO_PROXY` is a list with commas, of
    ///
    /// - `example.com`: that name and all names below it; `.example.com` or `*.example.com`: only these
    /// - `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24`: addresses; names are not looked up for it
    /// - any of these with `:port`, of IPv6 in brackets; `*`: everybody
    ///
    /// # Errors
    /// [`ProxyError`] if the proxy's URL cannot be used. What cannot be read in `NO_PROXY` matches
    /// nobody.
    pub fn new(flag: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        if let Some(flag) = flag {
            let proxy = if flag == "none" { None } else { Some(parse("--proxy", flag)?) };
            return Ok(ProxyRule { proxy, chosen: Chosen::ByFlag });
        }
        let first = |names: [&'static str; 2]| {
            let value = |name| environment(name).filter(|value| !value.is_empty()).map(|value| (name, value));
            names.into_iter().find_map(value)
        };
        let proxy = first(["HTTPS_PROXY", "https_proxy"]);
        let proxy = proxy.map(|(name, value)| parse(name, &value)).transpose()?;
        let without = first(["NO_PROXY", "no_proxy"]).map(|(_, value)| value.parse());
        let Ok(without) = without.unwrap_or(Ok(Without::default()));
        Ok(ProxyRule { proxy, chosen: Chosen::ByEnvironment(without) })
    }

    /// The proxy to reach `url` through; `None`: directly. Loopback, link-local and the metadata
    /// server are always reached directly: behind a proxy they are another machine's. The flag holds
    /// for everybody else; the environment for https and wss only, and never for private addresses.
    pub fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref()?;
        let direct = match &self.chosen {
            Chosen::ByFlag => false,
            Chosen::ByEnvironment(without) => {
                url.scheme == Scheme::Plain
                    || url.host.is_private_address()
                    || without.contains(&url.host, url.port)
            }
        };
        if direct || url.host.is_loopback() || url.host.is_link_local() { None } else { Some(proxy) }
    }
}

fn parse(name: &'static str, value: &str) -> Result<Proxy, ProxyError> {
    let wrong = |reason| ProxyError { name, reason };
    let rest = match value.split_once("://") {
        None => value,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some(_) => return Err(wrong("only proxies with http:// in their URL can be used, or none")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, authority) = match rest.rsplit_once('@') {
        Some((user, authority)) => (Some(user), authority),
        None => (None, rest),
    };
    let form = "this is no URL like http://user:password@host:port";
    let url = Url::from_str(&format!("http://{authority}")).map_err(|_| wrong(form))?;
    if url.path_and_query() != "/" {
        return Err(wrong(form));
    }
    let authorization = user.map(basic).transpose().map_err(wrong)?;
    Ok(Proxy { host: url.host, port: url.port, authorization })
}

/// A user name has no colon (RFC 7617 §2): the first one divides.
fn basic(user: &str) -> Result<String, &'static str> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    if user.contains(&b':') {
        return Err("the user name of a proxy cannot have a colon in it");
    }
    Ok(format!("Basic {}", STANDARD.encode([user, b":".to_vec(), password].concat())))
}

/// `host:port`, for logs.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Leaves the password out.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(flag: Option<&str>, environment: &[(&str, &str)]) -> Result<ProxyRule, ProxyError> {
        let value = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        ProxyRule::new(flag, value)
    }

    fn chosen(flag: Option<&str>, environment: &[(&str, &str)], url: &str) -> String {
        let rule = rule(flag, environment).unwrap();
        rule.proxy_for(&url.parse().unwrap()).map_or("direct".to_owned(), ToString::to_string)
    }

    const P: &[(&str, &str)] = &[("HTTPS_PROXY", "http://p:3128"), ("https_proxy", "q:1")];

    #[test]
    fn who_uses_the_proxy() {
        let no = |list| [("https_proxy", "q:1"), ("NO_PROXY", list)];
        let rows = [
            (None, vec![], "https://a.example/", "direct"),
            (None, P.to_vec(), "https://a.example/", "p:3128"),
            (None, P.to_vec(), "wss://a.example/", "p:3128"),
            (None, P.to_vec(), "http://a.example/", "direct"),
            (None, P.to_vec(), "ws://a.example/", "direct"),
            (None, P.to_vec(), "https://localhost/", "direct"),
            (None, P.to_vec(), "https://127.0.0.1/", "direct"),
            (None, P.to_vec(), "https://10.1.2.3/", "direct"),
            (None, P.to_vec(), "https://[fd00::1]/", "direct"),
            (None, P.to_vec(), "https://192.0.2.1/", "p:3128"),
            (None, vec![("HTTPS_PROXY", ""), ("https_proxy", "q:1")], "https://a.example/", "q:1"),
            (None, vec![("HTTP_PROXY", "p:1"), ("ALL_PROXY", "p:1")], "https://a.example/", "direct"),
            (None, no("a.example").to_vec(), "https://a.example/", "direct"),
            (None, no("b.example").to_vec(), "https://a.example/", "q:1"),
            (Some("none"), P.to_vec(), "https://a.example/", "direct"),
            (Some("http://f:8080/"), P.to_vec(), "https://a.example/", "f:8080"),
            (Some("f:8080"), no("*").to_vec(), "http://a.example/", "f:8080"),
            (Some("f:8080"), vec![], "https://10.1.2.3/", "f:8080"),
            (Some("f:8080"), vec![], "http://127.0.0.1/", "direct"),
            (Some("f:8080"), vec![], "http://169.254.169.254/", "direct"),
            (Some("f:8080"), vec![], "http://metadata.google.internal/", "direct"),
            (Some("u:p@[2001:db8::1]"), vec![], "https://a.example/", "[2001:db8::1]:80"),
        ];
        for (flag, environment, url, expected) in rows {
            assert_eq!(chosen(flag, &environment, url), expected, "{flag:?} {environment:?} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy() {
        for value in
            ["https://p:1", "socks5://p:1", "", "p:0", "p:x", "p:1/path", "a b", "http://", "%3a:x@p", "u@"]
        {
            let by_flag = rule(Some(value), &[]).unwrap_err();
            assert_eq!(by_flag.name, "--proxy", "{value}");
            assert_eq!(rule(None, &[("https_proxy", value)]).is_err(), !value.is_empty(), "{value}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_hidden() {
        let rows = [
            ("aladdin:opensesame@p", "YWxhZGRpbjpvcGVuc2VzYW1l"),
            ("u@p", "dTo="),
            ("http://u:a%40b%3a%2f@p/", "dTphQGI6Lw=="),
            ("u:a@b@p", "dTphQGI="),
            ("u:a:b@p", "dTphOmI="),
        ];
        for (value, expected) in rows {
            let proxy = parse("x", value).unwrap();
            assert_eq!(proxy.authorization, Some(format!("Basic {expected}")));
            assert_eq!(format!("{proxy} {proxy:?}"), "p:80 Proxy(p:80)");
        }
        let error = parse("x", "ftp://u:secret@p").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
