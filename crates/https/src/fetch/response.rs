//! What is answered.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::FetchError;
use crate::{Url, text};

/// How much of the body of a refusal is shown, in bytes
const MAX_EXCERPT: usize = 1024;
/// How long the body of a refusal is waited for: the status alone says enough
const EXCERPT_TIME: Duration = Duration::from_secs(2);

/// An answer with a status of 2xx.
#[derive(Clone)]
pub struct Response {
    /// The status
    pub status: StatusCode,
    /// `max-age` of `Cache-Control` (RFC 9111 §5.2.2.1)
    pub max_age: Option<Duration>,
    /// All of the body
    pub body: Bytes,
}

impl Response {
    pub(super) async fn read(answer: http::Response<Incoming>, max_body: usize) -> Result<Self, FetchError> {
        let (head, body) = answer.into_parts();
        match head.status.as_u16() {
            200..=299 => Ok(Response {
                status: head.status,
                max_age: max_age(&head.headers),
                body: whole(body, max_body).await?,
            }),
            300..=399 => Err(FetchError::Redirect { status: head.status, location: location(&head.headers) }),
            _ => Err(FetchError::Status { status: head.status, excerpt: excerpt(body).await }),
        }
    }
}

/// Leaves the body out: it may be a credential.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

async fn whole(mut body: Incoming, max: usize) -> Result<Bytes, FetchError> {
    if body.size_hint().lower() > max as u64 {
        return Err(FetchError::TooLarge(max));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(FetchError::Http)?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(FetchError::TooLarge(max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// What came in time; that it breaks off is no news beside the status.
async fn excerpt(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
            if bytes.len() >= MAX_EXCERPT {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(EXCERPT_TIME, read).await;
    text::line(&bytes, MAX_EXCERPT)
}

/// Shown without its query, and only if it is a URL of the usual form.
fn location(headers: &HeaderMap) -> String {
    let url = headers.get(LOCATION).and_then(|value| value.to_str().ok()?.parse::<Url>().ok());
    url.map_or_else(|| "another URL".to_owned(), |url| text::line(url.to_string().as_bytes(), 200))
}

/// The first one counts (RFC 9111 §4.2.1); quotes are allowed (§5.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).filter_map(|one| one.split_once('='));
    let (_, seconds) = directives.find(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))?;
    seconds.trim().trim_matches('"').parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn max_age_is_found() {
        let rows = [
            (vec![], None),
            (vec!["public, max-age=19845, must-revalidate"], Some(19845)),
            (vec!["no-transform", "Max-Age = \"60\""], Some(60)),
            (vec!["max-age=1, max-age=2"], Some(1)),
            (vec!["s-maxage=5"], None),
            (vec!["max-age=-1"], None),
            (vec!["max-age"], None),
            (vec!["max-age=99999999999999999999999"], None),
            (vec!["max-age=18446744073709551615"], Some(u64::MAX)),
        ];
        for (values, expected) in rows {
            let values = values.into_iter().map(|value| (CACHE_CONTROL, HeaderValue::from_static(value)));
            let headers = HeaderMap::from_iter([]);
            let headers = values.fold(headers, |mut headers: HeaderMap, (name, value)| {
                headers.append(name, value);
                headers
            });
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn locations_are_shown_without_secrets() {
        let rows = [
            ("https://login.example/?code=hidden", "https://login.example/"),
            ("https://u:hidden@login.example/", "another URL"),
            ("/path", "another URL"),
        ];
        for (value, expected) in rows {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(value))]);
            assert_eq!(location(&headers), expected);
        }
    }
}
