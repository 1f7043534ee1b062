//! The headers that the user adds to the upgrade, `-H 'Name: value'`.

use anyhow::{Context, Result, bail};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tunnel::header::TUNNEL;

/// The only value of [`TUNNEL`] that a user may give: it asks for dialect 1, for a way on which dialect 2 fails,
/// and to compare the two.
const DIALECT_1: &str = "1";

/// Parses the texts of `-H`. The values are marked as sensitive, so that no debug output shows them.
///
/// # Errors
/// What is wrong with which name; a value is never shown.
pub(crate) fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (number, text) in (1..).zip(texts) {
        let (name, value) = text
            .split_once(':')
            .with_context(|| format!("-H number {number} has no colon; write -H 'Name: value'"))?;
        let name: HeaderName = name
            .trim()
            .parse()
            .with_context(|| format!("-H number {number} has no header name before its colon"))?;
        if let Some(why) = reserved(&name).filter(|_| name != TUNNEL || value.trim() != DIALECT_1) {
            bail!("-H {name}: {why}; leave it out");
        }
        if (name == header::HOST || name == TUNNEL) && headers.contains_key(&name) {
            bail!("-H {name}: given twice; a request has one");
        }
        let mut value = HeaderValue::from_str(value.trim())
            .with_context(|| format!("-H {name}: the value has a character that no header may have"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Why a user cannot give this header.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    let of_the_upgrade = [header::CONNECTION, header::UPGRADE].contains(name);
    let of_ours = ["sec-websocket-", "wsgate-"].iter().any(|prefix| name.as_str().starts_with(prefix));
    let of_a_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name);
    match () {
        () if of_the_upgrade || of_ours => Some("the program sets it"),
        () if of_a_body => Some("an upgrade has no body"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let headers =
            parse(["X-Team: dba", "x-team:two", "Host: other:1 ", "Cookie: a=b: c", "X-Empty:"]).unwrap();
        let teams: Vec<_> = headers.get_all("x-team").iter().collect();
        assert_eq!(teams, ["dba", "two"]);
        assert_eq!(headers["host"], "other:1");
        assert_eq!(headers["cookie"], "a=b: c");
        assert_eq!(headers["x-empty"], "");
        assert!(!format!("{headers:?}").contains("dba"));
        assert_eq!(parse(["wsgate-tunnel: 1"]).unwrap()[TUNNEL], "1");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        for (text, says) in [
            ("sesame", "-H number 1 has no colon"),
            (": sesame", "no header name"),
            ("X Y: sesame", "no header name"),
            ("X: sesame\r\nY: z", "no header may have"),
            ("X: sesame\0", "no header may have"),
            ("Connection: sesame", "the program sets it"),
            ("UPGRADE: sesame", "the program sets it"),
            ("Sec-WebSocket-Protocol: sesame", "the program sets it"),
            ("Wsgate-Tunnel: sesame", "the program sets it"),
            ("Wsgate-Tunnel: 2; session=sesame", "the program sets it"),
            ("Wsgate-Other: 1", "the program sets it"),
            ("Content-Length: 1", "no body"),
            ("Transfer-Encoding: chunked", "no body"),
        ] {
            let error = format!("{:#}", parse([text]).unwrap_err());
            assert!(error.contains(says), "{text:?}: {error}");
            assert!(!error.contains("sesame"), "{error}");
        }
        for name in ["Host", "Wsgate-Tunnel"] {
            let error =
                parse([format!("{name}: 1").as_str(), &format!("{name}: 1")]).unwrap_err().to_string();
            assert!(error.contains("given twice"), "{error}");
        }
    }
}
