//! The page: one document without anything from elsewhere.

use std::sync::LazyLock;

use http::HeaderValue;

/// The whole page.
pub(super) const PAGE: &str = include_str!("page/page.html");

/// What the page may do.
pub(super) static POLICY: LazyLock<HeaderValue> =
    LazyLock::new(|| HeaderValue::from_static("default-src 'none'"));
