//! The page: one document without anything from elsewhere.
//!
//! It asks for `/status` every two seconds and shows what it says. Its style and its script are in it, and the
//! policy admits these two alone, by their hashes.

use http::HeaderValue;

/// The whole page.
pub(super) const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<title>status</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>",
    include_str!("page/style.css"),
    "</style>\n<body>\n<header><h1 id=\"program\">status</h1><span id=\"state\" role=\"status\">asking</span>",
    "<span id=\"facts\"></span></header>\n",
    "<div id=\"notices\" role=\"alert\"></div>\n<main><div id=\"now\"></div><div id=\"rest\"></div></main>\n",
    "<footer><label id=\"more\" hidden><input type=\"checkbox\" id=\"sessions\"> list sessions · </label>",
    "<a href=\"/status\">/status</a> <a href=\"/metrics\">/metrics</a> <a href=\"/mackerel?all=1\">/mackerel</a>",
    "</footer>\n<noscript>This page needs its script; /status has the same as JSON.</noscript>\n<script>",
    include_str!("page/script.js"),
    "</script>\n",
);

/// What the page may do: its own style and script, and questions to us. The hashes are those of Content Security
/// Policy Level 3, section 8.4; a test says them when a file has changed.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; style-src 'sha256-5f3++4V+xNGb2uPp+gV38XYcfx1Hv0qxz6zznklq2UU='; script-src 'sha256-r15AZAArYjnKseKJIQVEt+Rx0CAywUery6pm3U4xBbI='";

/// For Content-Security-Policy.
pub(super) fn policy() -> HeaderValue {
    HeaderValue::from_static(POLICY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine, engine::general_purpose::STANDARD};

    #[test]
    fn the_policy_admits_what_is_in_the_page_and_nothing_else() {
        for (kind, text) in
            [("style", include_str!("page/style.css")), ("script", include_str!("page/script.js"))]
        {
            let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
            assert!(POLICY.contains(&format!("{kind}-src 'sha256-{hash}'")), "{kind}-src 'sha256-{hash}'");
            assert!(!text.contains(&format!("</{kind}")), "it would end there");
        }
    }

    #[test]
    fn nothing_becomes_markup_and_nothing_comes_from_elsewhere() {
        let script = include_str!("page/script.js");
        for word in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("] {
            assert!(!script.contains(word), "{word}");
        }
        assert!(!PAGE.replace("http://www.w3.org/2000/svg", "").contains("://"));
        assert!(PAGE.len() < 32 * 1024, "{}", PAGE.len());
    }
}
