//! What to do about a step that failed.

use std::error::Error;
use std::io::ErrorKind;

use https::proxy;
use relay::DialError;

use crate::attempt::AttemptError;
use crate::connect::ConnectError;
use crate::refusal::Refusal;
use crate::tls;

pub(super) const NAME: &str = "is the name right, and does this machine's DNS know it (getent hosts NAME)? \
     Where only a proxy leads out: --proxy URL";
pub(super) const ROUND_TRIP: &str = "something on the way takes the upgrade and does not carry WebSocket; is it a proxy that must be told to?";

const TCP: &str = "is the port right, and does the gateway run there?";
const TCP_SILENT: &str =
    "a firewall drops it, or the host is down; where only a proxy leads out: --proxy URL";
const PROXY: &str = "is --proxy, or HTTPS_PROXY, right? NO_PROXY, or --proxy none, goes without";
const PROXY_REFUSED: &str = "ask whoever runs the proxy to let it connect there";
const TLS: &str = "does the gateway speak TLS 1.2 or 1.3 there?";

/// The error and its sources in a line. Of a failed handshake the cause alone: its hint is the fix.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    if let Some(ConnectError::Tls(cause)) = error.downcast_ref() {
        return cause.to_string();
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

pub(super) fn of_connect(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Dial(DialError::Name(_)) => NAME,
        ConnectError::Dial(DialError::TimedOut(_)) => TCP_SILENT,
        ConnectError::Dial(DialError::Refused(error)) if error.kind() != ErrorKind::ConnectionRefused => {
            TCP_SILENT
        }
        ConnectError::Dial(DialError::Refused(_)) => TCP,
        ConnectError::Proxy(proxy::ConnectError::Refused { .. }) => PROXY_REFUSED,
        ConnectError::DialProxy(..) | ConnectError::Proxy(_) | ConnectError::SilentProxy(..) => PROXY,
        ConnectError::Tls(error) => tls::hint(error).unwrap_or(TLS),
        ConnectError::Silent(_) | ConnectError::NoTls => TLS,
    }
}

pub(super) fn of_attempt(error: &AttemptError, anonymous: bool) -> &'static str {
    match error {
        AttemptError::Credential(_) => "without it nothing is sent; mend the file or the way to the issuer",
        AttemptError::Connect(error) => of_connect(error),
        AttemptError::Silent(_) => "does the gateway run behind what answers there?",
        AttemptError::NoAnswer(_) => "what answers there is no HTTP/1.1 server; is it https instead of http?",
        AttemptError::Refused(refusal) => of_refusal(refusal, anonymous),
        AttemptError::NotWebSocket(_) => {
            "something on the way changes the upgrade; it must let WebSocket pass"
        }
        AttemptError::BadTunnel(_) | AttemptError::NotResumed => {
            "its Wsgate-Tunnel is not as docs/protocol.md says; ask whoever runs the gateway which version it is"
        }
    }
}

fn of_refusal(refusal: &Refusal, anonymous: bool) -> &'static str {
    let by_gateway = refusal.word.is_some();
    match (refusal.status.as_u16(), refusal.word.as_deref()) {
        (300..=399 | 200, _) => {
            "this is no gateway but a login page or a web server; behind IAP give --iap-credential, else \
             correct the URL"
        }
        (401, _) if anonymous => {
            "give what says who you are: --private-key FILE and --private-key-user NAME, or --iap-credential"
        }
        (401, _) => {
            "does the gateway have the public half of this key, under this user, and are both clocks right?"
        }
        (403, Some("origin")) => "the gateway takes it for a web page; its --allowed-origin lists who may",
        (403, _) if by_gateway => "ask whoever runs the gateway to let this user reach this destination",
        (403, _) => "something in front of the gateway refuses; with IAP: may this account pass it?",
        (404, Some(_)) => "the last part of the URL is no name in the gateway's map",
        (404, None) => "what answers is no gateway of ours, or the URL's path is not /proxy/NAME",
        (429, _) => "too many tunnels are open; end some, or raise the gateway's limits",
        (502 | 504, Some(_)) => {
            "the gateway is fine; what it leads to does not answer: does the destination run?"
        }
        (502 | 504, None) => "what stands in front of the gateway does not reach it; does the gateway run?",
        (503, Some("draining")) => "the gateway is being stopped; try again in a moment",
        (503, _) => "the gateway is full or not ready yet; try again in a moment",
        (426, _) => "something on the way removes the upgrade; it must let WebSocket pass",
        _ => "the gateway's log has more about it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};

    #[test]
    fn refusals_have_fixes_of_their_own() {
        for (status, word, anonymous, says) in [
            (401, Some("credential"), true, "--private-key FILE"),
            (401, Some("credential"), false, "public half"),
            (403, Some("origin"), false, "--allowed-origin"),
            (403, Some("forbidden"), false, "this user"),
            (403, None, false, "in front"),
            (404, Some("unknown-destination"), false, "map"),
            (404, None, false, "/proxy/NAME"),
            (502, Some("destination-refused"), false, "the gateway is fine"),
            (502, None, false, "in front"),
            (302, None, false, "login"),
            (503, Some("draining"), false, "stopped"),
            (500, None, false, "log"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(word) = word {
                headers.insert("wsgate-refusal", HeaderValue::from_static(word));
            }
            let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), &headers, b"");
            let fix = of_attempt(&AttemptError::Refused(refusal), anonymous);
            assert!(fix.contains(says), "{status} {word:?}: {fix}");
        }
    }
}
