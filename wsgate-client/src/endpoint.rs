//! Where a request goes: a URL, taken apart. For a forward, its destination at a endpoint.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Uri};
use relay::Address;
use rustls_pki_types::ServerName;

/// `http(s)://host[:port]/path[?query]`, or the same with `ws` and `wss`, which mean the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The name to ask for in TLS, and to find in the certificate; `None`: plain HTTP.
    pub tls: Option<ServerName<'static>>,
    /// The same for the rules of proxies: the host in lower case.
    pub url: https::Url,
    /// What is dialled.
    pub address: Address,
    /// `host[:port]` as it was written: the `Host` of the request.
    pub authority: Authority,
    /// What is asked for. The query may be a secret: it is sent, and shown nowhere.
    pub path_and_query: PathAndQuery,
}

/// Why a text is no [`Endpoint`]. It does not repeat the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write https://host[:port]/path or http://host[:port]/path")]
pub struct BadUrl(&'static str);

impl FromStr for Endpoint {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        if text.contains('#') {
            return Err(BadUrl("the URL has a fragment (#), which is never sent"));
        }
        let uri: Uri = text.parse().map_err(|_| BadUrl("no URL"))?;
        let secure = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err(BadUrl("the URL's scheme is none of http, https, ws and wss")),
        };
        let authority = uri.authority().ok_or(BadUrl("the URL has no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(BadUrl("the URL has a user or a password; give -H 'Authorization: ...' instead"));
        }
        let host = host_of(&authority)?;
        let tls = match secure {
            true => Some(ServerName::try_from(host.clone()).map_err(|_| BadUrl(NO_HOST))?),
            false => None,
        };
        let address = Address::Tcp { host, port: port_of(&authority, secure)? };
        let url = text.parse().map_err(|_| BadUrl(NO_HOST))?;
        let path_and_query = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        Ok(Self { tls, url, address, authority, path_and_query })
    }
}

const NO_HOST: &str = "the URL's host is neither a name nor an address";

/// Without brackets.
fn host_of(authority: &Authority) -> Result<String, BadUrl> {
    let host = authority.host();
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|ip| ip.to_string()).map_err(|_| BadUrl(NO_HOST));
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let is_name = !host.is_empty() && host.len() <= 253 && host.bytes().all(fine);
    is_name.then(|| host.to_owned()).ok_or(BadUrl(NO_HOST))
}

fn port_of(authority: &Authority, secure: bool) -> Result<u16, BadUrl> {
    let written = authority.as_str().len() > authority.host().len();
    match authority.port_u16() {
        Some(0) => Err(BadUrl("the URL's port is 0")),
        Some(port) => Ok(port),
        None if written => Err(BadUrl("the URL's port is no number from 1 to 65535")),
        None => Ok(if secure { 443 } else { 80 }),
    }
}

impl Endpoint {
    /// The value of a request's `Host`.
    pub(crate) fn host(&self) -> HeaderValue {
        HeaderValue::from_str(self.authority.as_str()).expect("a URL's authority is visible ASCII")
    }

    /// `http://host[:port]`, which an upgrade sends as `Origin` (RFC 6454 section 6.2).
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

/// The URL without its query, as logs may show it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path_and_query.path())
    }
}

/// As [`fmt::Display`]: no query.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (url, shown, dialled, secure, asked) in [
            ("http://gw/", "http://gw/", "gw:80", false, "/"),
            ("http://gw", "http://gw/", "gw:80", false, "/"),
            ("ws://gw:8086/proxy/a", "http://gw:8086/proxy/a", "gw:8086", false, "/proxy/a"),
            (
                "https://gw.example.com/proxy/a%20b?t=secret",
                "https://gw.example.com/proxy/a%20b",
                "gw.example.com:443",
                true,
                "/proxy/a%20b?t=secret",
            ),
            ("wss://10.0.0.1:8443/p", "https://10.0.0.1:8443/p", "10.0.0.1:8443", true, "/p"),
            ("https://[::1]/p", "https://[::1]/p", "[::1]:443", true, "/p"),
            ("HTTPS://Gw/p", "https://Gw/p", "Gw:443", true, "/p"),
            ("http://my_gw?x", "http://my_gw/", "my_gw:80", false, "/?x"),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown, "{url}");
            assert_eq!(endpoint.address.to_string(), dialled);
            assert_eq!(endpoint.tls.is_some(), secure);
            assert_eq!(endpoint.path_and_query.to_string(), asked);
            assert!(!format!("{endpoint:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_reason() {
        for (url, reason) in [
            ("", "no URL"),
            ("gw", "scheme"),
            ("gw:8086/proxy/a", "no URL"),
            ("/proxy/a", "scheme"),
            ("tcp://gw/a", "scheme"),
            ("http:///a", "no URL"),
            ("http://al:sesame@gw/a", "password"),
            ("http://gw/a#sesame", "fragment"),
            ("http://gw:0/a", "port is 0"),
            ("http://gw:65536/a", "no number"),
            ("http://gw:/a", "no number"),
            ("http://[zz]/a", "neither"),
            ("https://a..b/", "neither"),
            ("http://gw/a b", "no URL"),
        ] {
            let error = url.parse::<Endpoint>().expect_err(url).to_string();
            assert!(error.contains(reason), "{url}: {error}");
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}
