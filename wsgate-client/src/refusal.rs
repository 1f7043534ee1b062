//! An answer that is no upgrade: what it says to the user, and whether another attempt makes sense.

use std::fmt;
use std::time::Duration;

use daemon::log::is_hostile;
use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;
use tunnel::header::Header;
use tunnel::session_id::Instance;

use crate::fetch::without_token;
use crate::retry::Again;

/// Tells that it is the gateway that refuses, and why; other parts of the way answer without it.
const WORD: HeaderName = HeaderName::from_static("wsgate-refusal");
/// How much of a body is read, in bytes, and for how long.
const LONGEST_BODY: usize = 1024;
const BODY: Duration = Duration::from_secs(2);
/// Nobody waits longer because a gateway says so.
const LONGEST: Duration = Duration::from_secs(3600);
/// How much of a peer's text is shown, in characters.
const LONGEST_TEXT: usize = 200;

/// An HTTP answer that is no upgrade.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The gateway's own word for it; `None` if it is not the gateway that refuses.
    pub(crate) word: Option<String>,
    again: Again,
    is_of_credential: bool,
    /// The process that answers, if it says.
    pub(crate) instance: Option<Instance>,
    /// The first line of the body, or nothing.
    text: String,
    /// Where a redirect leads, without the query, which may hold a secret.
    location: Option<String>,
}

impl Refusal {
    /// Takes the answer, and as much of its body as comes quickly.
    pub(crate) async fn read(answer: Response<Incoming>) -> Self {
        let (head, mut body) = answer.into_parts();
        let mut start = Vec::new();
        let reading = async {
            while start.len() < LONGEST_BODY
                && let Some(Ok(frame)) = body.frame().await
            {
                start.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            }
        };
        let _ = timeout(BODY, reading).await; // what has come is what there is
        start.truncate(LONGEST_BODY);
        Self::new(head.status, &head.headers, &start)
    }

    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        Self {
            status,
            word: headers.get(WORD).map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned()),
            again: again(status, headers),
            is_of_credential: status == StatusCode::UNAUTHORIZED
                && headers.get(WORD).is_some_and(|word| word == "credential"),
            instance: Header::of(headers).ok().flatten().and_then(|header| header.instance),
            text: first_line(body),
            location: location(status, headers),
        }
    }

    pub(crate) fn again(&self) -> Again {
        self.again
    }

    /// Whether the gateway itself does not take our token.
    pub(crate) fn is_of_credential(&self) -> bool {
        self.is_of_credential
    }
}

/// `gateway answered 403 Forbidden: not allowed to reach mysql`
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gateway answered {}", self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(f, " {reason}")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", which leads to {location}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

fn again(status: StatusCode, headers: &HeaderMap) -> Again {
    match headers.get(WORD).map(|word| word.as_bytes()) {
        Some(b"draining" | b"limit") => retry_after(headers).map_or(Again::Soon, Again::After),
        Some(_) => Again::Never,
        None if matches!(status.as_u16(), 502..=504) => Again::Soon,
        None => Again::Never,
    }
}

/// In seconds; a date (RFC 9110 section 10.2.3) is not worth parsing, and more than [`LONGEST`] is not waited.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST))
}

/// The first line with something in it, if the body is a text for people: HTML is not, in a log line.
fn first_line(body: &[u8]) -> String {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        // Cut off within a character; anything else is no text.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return String::new(),
    };
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.starts_with('<') { String::new() } else { printable(line) }
}

fn location(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION).filter(|_| status.is_redirection())?.to_str().ok()?;
    Some(printable(location.split(['?', '#']).next().unwrap_or_default()))
}

/// Without what looks like a token: something on the way may repeat what it was sent.
fn printable(text: &str) -> String {
    let words = text.split(' ').map(without_token).collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !is_hostile(*c)).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, lines: &str, body: &[u8]) -> Refusal {
        let mut headers = HeaderMap::new();
        for (name, value) in lines.split('|').filter_map(|line| line.split_once(": ")) {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Refusal::new(StatusCode::from_u16(status).unwrap(), &headers, body)
    }

    #[test]
    fn the_text_says_what_was_answered() {
        let long = "é".repeat(LONGEST_BODY);
        let cut = &long.as_bytes()[..LONGEST_BODY - 1];
        for (status, lines, body, shown) in [
            (
                403,
                "",
                &b"not allowed to reach mysql\n"[..],
                "gateway answered 403 Forbidden: not allowed to reach mysql".to_owned(),
            ),
            (404, "", b"", "gateway answered 404 Not Found".into()),
            (599, "", b"odd", "gateway answered 599: odd".into()),
            (200, "", b"\r\n  OK  \r\nmore", "gateway answered 200 OK: OK".into()),
            (502, "", b"<html>\n<h1>Bad Gateway</h1>", "gateway answered 502 Bad Gateway".into()),
            (500, "", b"\x00\xff\xfe", "gateway answered 500 Internal Server Error".into()),
            (400, "", b"a\x1b[31mb\x07c", "gateway answered 400 Bad Request: a[31mbc".into()),
            (400, "", "a\u{202e}b\u{9b}c".as_bytes(), "gateway answered 400 Bad Request: abc".into()),
            (
                400,
                "",
                b"bad header Authorization: Bearer eyJhbGciOiJub25lIn0.e30.c2ln",
                "gateway answered 400 Bad Request: bad header Authorization: Bearer [token]".into(),
            ),
            (400, "", cut, format!("gateway answered 400 Bad Request: {}", "é".repeat(LONGEST_TEXT))),
            (
                302,
                "Location: https://login.example.com/auth?state=sesame",
                b"",
                "gateway answered 302 Found, which leads to https://login.example.com/auth".into(),
            ),
            (403, "Location: /elsewhere", b"", "gateway answered 403 Forbidden".into()),
        ] {
            assert_eq!(refusal(status, lines, body).to_string(), shown);
        }
    }

    #[test]
    fn what_may_get_better_is_tried_again() {
        let after = |seconds| Again::After(Duration::from_secs(seconds));
        for (status, lines, expected) in [
            (502, "", Again::Soon),
            (503, "", Again::Soon),
            (504, "", Again::Soon),
            (503, "Retry-After: 7", Again::Soon),
            (502, "Wsgate-Refusal: destination-refused", Again::Never),
            (504, "Wsgate-Refusal: destination-timeout", Again::Never),
            (503, "Wsgate-Refusal: draining|Retry-After: 1", after(1)),
            (503, "Wsgate-Refusal: limit|Retry-After: 30", after(30)),
            (429, "Wsgate-Refusal: limit|Retry-After: 2", after(2)),
            (503, "Wsgate-Refusal: limit|Retry-After: 18446744073709551615", after(3600)),
            (503, "Wsgate-Refusal: draining", Again::Soon),
            (503, "Wsgate-Refusal: limit|Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", Again::Soon),
            (503, "Wsgate-Refusal: limit|Retry-After: -1", Again::Soon),
            (401, "Wsgate-Refusal: credential", Again::Never),
            (403, "Wsgate-Refusal: forbidden", Again::Never),
            (404, "Wsgate-Refusal: unknown-destination", Again::Never),
            (429, "", Again::Never),
            (500, "", Again::Never),
            (302, "Location: /", Again::Never),
            (200, "", Again::Never),
        ] {
            assert_eq!(refusal(status, lines, b"").again(), expected, "{status} {lines}");
        }
    }
}
