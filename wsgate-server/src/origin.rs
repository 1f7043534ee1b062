//! Which web pages may connect. A page must not reach a private database through a developer's browser,
//! not by DNS rebinding either.

use anyhow::{Result, bail};
use http::header::{self, HeaderMap, HeaderName};
use http::uri::{Authority, Uri};

const TUNNEL: HeaderName = HeaderName::from_static("wsgate-tunnel");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The origins of `--allowed-origin`.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Vec<String>,
}

impl Origins {
    /// # Errors
    /// If one of them is not of the form `scheme://host[:port]`.
    pub fn new(listed: &[String]) -> Result<Self> {
        for origin in listed {
            if parse(origin).is_none() {
                bail!("--allowed-origin {origin:?} is no origin; write https://host or https://host:port");
            }
        }
        Ok(Self { listed: listed.iter().map(|o| o.to_ascii_lowercase()).collect() })
    }

    /// Whether a request with these headers may go on as far as its `Origin` is concerned: there is none;
    /// it is listed; the request carries what no page can set; or the origin is the host that was asked
    /// for and the caller is no browser.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        let Ok(origin) = origin.to_str() else { return false };
        self.listed.contains(&origin.to_ascii_lowercase())
            || is_beyond_a_page(headers)
            || !is_browser(headers) && is_own_host(origin, headers)
    }
}

/// Headers that a page's script cannot give to a WebSocket: they prove another kind of caller.
fn is_beyond_a_page(headers: &HeaderMap) -> bool {
    let bearer = |name| {
        headers.get_all(name).iter().any(|value| {
            let scheme = value.as_bytes().get(..7);
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer "))
        })
    };
    headers.contains_key(TUNNEL)
        || bearer(header::AUTHORIZATION)
        || bearer(header::PROXY_AUTHORIZATION)
        || starts_with(headers, header::USER_AGENT, b"Go-http-client/")
}

fn is_browser(headers: &HeaderMap) -> bool {
    starts_with(headers, header::USER_AGENT, b"Mozilla/")
        || headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

fn starts_with(headers: &HeaderMap, name: HeaderName, prefix: &[u8]) -> bool {
    headers.get_all(name).iter().any(|value| value.as_bytes().starts_with(prefix))
}

fn is_own_host(origin: &str, headers: &HeaderMap) -> bool {
    // Ports are left out: a proxy in front may listen on another one and pass on the name alone.
    let Some(origin) = parse(origin) else { return false };
    let hosts = headers.get_all(header::HOST).iter().chain(headers.get_all(FORWARDED_HOST));
    hosts
        .filter_map(|host| host.to_str().ok()?.trim().parse::<Authority>().ok())
        .any(|host| host.host().eq_ignore_ascii_case(origin.host()))
}

/// The authority of an origin in the form of RFC 6454 section 6.2: a scheme and an authority, nothing else.
fn parse(origin: &str) -> Option<Authority> {
    let uri: Uri = origin.parse().ok()?;
    let authority = uri.authority()?;
    let bare = origin.len() == uri.scheme_str()?.len() + "://".len() + authority.as_str().len();
    bare.then(|| authority.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines.split('|').filter(|l| !l.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_those_pass_that_no_foreign_page_can_be() {
        let origins = Origins::new(&["https://tools.example.com".into()]).unwrap();
        for (lines, allowed, why) in [
            ("Host: gw", true, "no origin"),
            ("Host: gw|Origin: https://tools.example.com|User-Agent: Mozilla/5.0", true, "listed"),
            ("Host: gw|Origin: HTTPS://Tools.example.com", true, "listed, in another case"),
            ("Host: gw|Origin: https://tools.example.com.evil.org", false, "a longer host"),
            ("Host: gw|Origin: https://evil.org", false, "foreign"),
            ("Host: gw|Origin: null", false, "a sandboxed page"),
            ("Host: gw|Origin: https://tools.example.com|Origin: https://evil.org", false, "two"),
            ("Host: gw|Origin: https://evil.org|Wsgate-Tunnel: 2", true, "our client"),
            ("Host: gw|Origin: https://evil.org|Authorization: Bearer x", true, "a credential"),
            ("Host: gw|Origin: https://evil.org|Authorization: bearer x", true, "in any case"),
            ("Host: gw|Origin: https://evil.org|Authorization: Basic x", false, "a page can cause this"),
            ("Host: gw|Origin: https://evil.org|Proxy-Authorization: Bearer x", true, "a credential"),
            ("Host: gw|Origin: https://gw|User-Agent: Go-http-client/1.1", true, "the original client"),
            ("Host: gw|Origin: https://gw", true, "own host, no browser"),
            ("Host: gw|Origin: https://gw:8443", true, "behind a proxy that passes on the name alone"),
            ("Host: gw:8443|Origin: https://gw:8443", true, "the same port"),
            ("Host: other|Origin: https://gw", false, "another host"),
            ("Host: 10.0.0.1|X-Forwarded-Host: gw|Origin: https://gw", true, "behind a proxy"),
            ("Host: gw|Origin: https://gw|User-Agent: Mozilla/5.0", false, "rebinding by a browser"),
            ("Host: gw|Origin: https://gw|Sec-Fetch-Mode: websocket", false, "a browser in disguise"),
            ("Host: [::1]:80|Origin: http://[::1]", true, "an IPv6 literal"),
        ] {
            assert_eq!(origins.allow(&headers(lines)), allowed, "{why}: {lines}");
        }
    }

    #[test]
    fn an_allowed_origin_is_checked_at_start() {
        for bad in ["tools.example.com", "https://a/path", "https://a/", "", "*"] {
            let error = Origins::new(&[bad.into()]).unwrap_err().to_string();
            assert!(error.contains("https://host"), "{error}");
        }
    }
}
