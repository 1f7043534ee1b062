//! Spellings of paths.

use super::*;
use proptest::prelude::*;

/// Raw, with merged slashes, without; `-` is a refusal.
const NORMAL: [(&str, &str, &str); 41] = [
    ("/", "/", "/"),
    ("", "/", "/"),
    ("?q", "/", "/"),
    ("#f", "/", "/"),
    ("/a", "/a", "/a"),
    ("/a/", "/a/", "/a/"),
    ("/a?b/../c", "/a", "/a"),
    ("/a#b", "/a", "/a"),
    ("/a%3fb?c", "/a?b", "/a?b"),
    ("/a//b", "/a/b", "/a//b"),
    ("//", "/", "//"),
    ("///", "/", "///"),
    ("//a", "/a", "//a"),
    ("/a//", "/a/", "/a//"),
    ("/./a", "/a", "/a"),
    ("/a/.", "/a/", "/a/"),
    ("/a/./b", "/a/b", "/a/b"),
    ("/a/..", "/", "/"),
    ("/a/../b", "/b", "/b"),
    ("/a/b/..", "/a/", "/a/"),
    ("/a/b/../../c", "/c", "/c"),
    ("/a//../b", "/b", "/a/b"),
    ("/path1/..//secret/f", "/secret/f", "//secret/f"),
    ("/path1/%2e%2e/secret/f", "/secret/f", "/secret/f"),
    ("/path1/..%2fsecret/f", "/secret/f", "/secret/f"),
    ("/path1/%3f/../../secret/f", "/secret/f", "/secret/f"),
    ("/a/.../b", "/a/.../b", "/a/.../b"),
    ("/a/..b", "/a/..b", "/a/..b"),
    ("/%41", "/A", "/A"),
    ("/a%2", "-", "-"),
    ("/a%zz", "-", "-"),
    ("/a%", "-", "-"),
    ("/a%00", "-", "-"),
    ("/..", "-", "-"),
    ("/a/../..", "-", "-"),
    ("//..", "-", "/"),
    ("a", "-", "-"),
    ("%2fa", "-", "-"),
    ("*", "-", "-"),
    ("/a b", "-", "-"),
    ("/a\n", "-", "-"),
];

#[test]
fn nginx_resolves_what_is_written() {
    for (raw, merged, unmerged) in NORMAL {
        let normal = |merge| {
            let path = normalise(raw.as_bytes(), merge);
            path.map_or("-".to_owned(), |path| String::from_utf8(path).unwrap())
        };
        assert_eq!(
            (normal(MergeSlashes::On).as_str(), normal(MergeSlashes::Off).as_str()),
            (merged, unmerged),
            "{raw:?}"
        );
    }
}

#[test]
fn the_strict_policy_takes_one_spelling() {
    use Reason::{UriMalformed as Bad, UriNotCanonical as Odd, UriTooLong as Long};
    let (most, long) = (format!("/{}", "a".repeat(MAX_URI - 1)), format!("/{}", "a".repeat(MAX_URI)));
    let rows: &[(&str, Result<&str, Reason>)] = &[
        ("/a", Ok("/a")),
        ("/a/?x=/../y", Ok("/a/")),
        ("/a?x=%2f%zz", Ok("/a")),
        ("/%c3%a4%20b", Ok("/ä b")),
        ("/%61", Ok("/a")),
        ("/.well-known/a", Ok("/.well-known/a")),
        ("/a;v=1/b", Ok("/a;v=1/b")),
        ("/a%25", Ok("/a%")),
        (&most, Ok(&most)),
        (&long, Err(Long)),
        ("", Err(Odd)),
        ("?x", Err(Odd)),
        ("/a//b", Err(Odd)),
        ("/a/./b", Err(Odd)),
        ("/a/../b", Err(Odd)),
        ("/a/%2e%2e/b", Err(Odd)),
        ("/a%2fb", Err(Odd)),
        ("/a%5cb", Err(Odd)),
        ("/a\\b", Err(Odd)),
        ("/a%0ab", Err(Odd)),
        ("/a%7f", Err(Odd)),
        ("/a%252e", Err(Odd)),
        ("/a%2525", Err(Odd)),
        ("/a#b", Err(Odd)),
        ("/a?b#c", Err(Odd)),
        ("/a/..;/b", Err(Odd)),
        ("/a/.;x=1", Err(Odd)),
        ("/a/%2e%2e;/b", Err(Odd)),
        ("/a%00", Err(Bad)),
        ("/..", Err(Bad)),
        ("/a\u{7f}", Err(Bad)),
        ("/a?b c", Err(Bad)),
        ("//..", Err(Bad)),
    ];
    for (raw, expected) in rows {
        let got = paths(raw.as_bytes(), UriPolicy::Canonical);
        let got = got.map(|paths| String::from_utf8(paths.merged.into_owned()).unwrap());
        assert_eq!(got.as_deref(), expected.as_ref().map(|text| *text), "{raw:?}");
    }
}

#[test]
fn the_lenient_policy_asks_for_both_paths() {
    let prefix: Prefix = "/secret".parse().unwrap();
    let rows = [
        ("/secret/a/../b", true),
        ("/secret//b", true),
        ("//secret/b", false),
        ("/path1/../secret/f", true),
        ("/path1//../secret/f", false),
    ];
    for (raw, expected) in rows {
        let paths = paths(raw.as_bytes(), UriPolicy::Nginx).unwrap();
        assert_eq!(paths.each().all(|path| prefix.covers(path)), expected, "{raw}");
    }
}

proptest! {
    #[test]
    fn the_short_way_and_the_long_way_agree(raw in "[/a.%#?;\\\\\u{20}\u{7f}25fe]{0,12}") {
        if let Some(path) = plain(raw.as_bytes()) {
            for merge in [MergeSlashes::On, MergeSlashes::Off] {
                let normal = normalise(raw.as_bytes(), merge);
                prop_assert_eq!(normal.as_deref(), Some(path));
            }
            prop_assert!(is_canonical(raw.as_bytes(), path));
        }
    }

    #[test]
    fn what_is_normal_stays_so(raw in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(paths) = paths(&raw, UriPolicy::Canonical) {
            let path = paths.merged.into_owned();
            prop_assert_eq!(path.first(), Some(&b'/'));
            prop_assert!(!path.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b"..")));
        }
    }
}
