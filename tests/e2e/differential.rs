//! The path policy against the real nginx: for every target that nginx serves, we must know the path that it serves.
//!
//! `DETECO_DIFFERENTIAL=1000000` asks for more targets than the 20,000 of an ordinary run, and `DETECO_SEED=7` for
//! others; a failure prints the seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use deteco::{MergeSlashes, normalise};
use e2e::target::Targets;
use e2e::uri_echo::{Served, UriEcho, ask_all};

/// How many targets at least.
const TARGETS: u64 = 20_000;

/// How many mismatches are shown.
const SHOWN: usize = 20;

/// A raw target, and its path with slashes merged and not; `None`: nginx refuses, and so do we.
type Row = (&'static [u8], Option<&'static [u8]>, Option<&'static [u8]>);

/// What the design says, case by case.
#[rustfmt::skip]
const KNOWN: [Row; 58] = [
    (b"/", Some(b"/"), Some(b"/")),
    (b"/a", Some(b"/a"), Some(b"/a")),
    (b"/a/", Some(b"/a/"), Some(b"/a/")),
    (b"//", Some(b"/"), Some(b"//")),
    (b"///", Some(b"/"), Some(b"///")),
    (b"/a//", Some(b"/a/"), Some(b"/a//")),
    (b"/a//b", Some(b"/a/b"), Some(b"/a//b")),
    (b"//a", Some(b"/a"), Some(b"//a")),
    (b"/.", Some(b"/"), Some(b"/")),
    (b"/./", Some(b"/"), Some(b"/")),
    (b"/a/.", Some(b"/a/"), Some(b"/a/")),
    (b"/a/./b", Some(b"/a/b"), Some(b"/a/b")),
    (b"/a/..", Some(b"/"), Some(b"/")),
    (b"/a/../", Some(b"/"), Some(b"/")),
    (b"/a/b/..", Some(b"/a/"), Some(b"/a/")),
    (b"/a/b/../", Some(b"/a/"), Some(b"/a/")),
    (b"/path1/../secret/f", Some(b"/secret/f"), Some(b"/secret/f")),
    (b"/path1/%2e%2e/secret/f", Some(b"/secret/f"), Some(b"/secret/f")),
    (b"/path1/..%2fsecret/f", Some(b"/secret/f"), Some(b"/secret/f")),
    (b"/path1/%3f/../../secret/f", Some(b"/secret/f"), Some(b"/secret/f")),
    (b"/path1/%23/../../secret/f", Some(b"/secret/f"), Some(b"/secret/f")),
    (b"/path1/..//secret/f", Some(b"/secret/f"), Some(b"//secret/f")),
    (b"/path1//../secret/f", Some(b"/secret/f"), Some(b"/path1/secret/f")),
    (b"/a/b//../c", Some(b"/a/c"), Some(b"/a/b/c")),
    (b"/a//b/../c", Some(b"/a/c"), Some(b"/a//c")),
    (b"/..", None, None),
    (b"/../", None, None),
    (b"/a/../..", None, None),
    (b"//..", None, Some(b"/")),
    (b"//../", None, Some(b"/")),
    (b"/%2e%2e/", None, None),
    (b"/...", Some(b"/..."), Some(b"/...")),
    (b"/..a/.b", Some(b"/..a/.b"), Some(b"/..a/.b")),
    (b"/a/..;/b", Some(b"/a/..;/b"), Some(b"/a/..;/b")),
    (b"/a/..\\b", Some(b"/a/..\\b"), Some(b"/a/..\\b")),
    (b"/a/..%5cb", Some(b"/a/..\\b"), Some(b"/a/..\\b")),
    (b"/a%2fb", Some(b"/a/b"), Some(b"/a/b")),
    (b"/a%2f%2fb", Some(b"/a/b"), Some(b"/a//b")),
    (b"/a/%252e%252e/b", Some(b"/a/%2e%2e/b"), Some(b"/a/%2e%2e/b")),
    (b"/a%25zz", Some(b"/a%zz"), Some(b"/a%zz")),
    (b"/a%20b%0a%7f", Some(b"/a b\n\x7f"), Some(b"/a b\n\x7f")),
    (b"/%c0%ae%c0%ae/%FF", Some(b"/\xc0\xae\xc0\xae/\xff"), Some(b"/\xc0\xae\xc0\xae/\xff")),
    (b"/\xff\x80", Some(b"/\xff\x80"), Some(b"/\xff\x80")),
    (b"/a+b", Some(b"/a+b"), Some(b"/a+b")),
    (b"/a%", None, None),
    (b"/a%4", None, None),
    (b"/a%zz", None, None),
    (b"/a%00b", None, None),
    (b"/a\x01b", None, None),
    (b"/a\x7fb", None, None),
    (b"a", None, None),
    (b"*", None, None),
    (b"/a?b/../c", Some(b"/a"), Some(b"/a")),
    (b"/a?%zz%00", Some(b"/a"), Some(b"/a")),
    (b"/a#b/../c", Some(b"/a"), Some(b"/a")),
    (b"/a/..#/b", Some(b"/"), Some(b"/")),
    (b"/a/.?", Some(b"/a/"), Some(b"/a/")),
    (b"/a%3fb%23c", Some(b"/a?b#c"), Some(b"/a?b#c")),
];

/// nginx with slashes merged and not.
fn ways(nginx: &UriEcho) -> [(SocketAddr, MergeSlashes); 2] {
    [(nginx.merging, MergeSlashes::On), (nginx.keeping, MergeSlashes::Off)]
}

fn expected(row: &Row, merge: MergeSlashes) -> Option<&'static [u8]> {
    if merge == MergeSlashes::On { row.1 } else { row.2 }
}

fn shown(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "refused".to_owned(), |bytes| bytes.escape_ascii().to_string())
}

/// Reports all rows of [`KNOWN`] in which `got` is not as expected.
fn judge(merge: MergeSlashes, got: impl IntoIterator<Item = Option<Vec<u8>>>) {
    let rows = KNOWN.iter().zip(got).filter(|(row, got)| got.as_deref() != expected(row, merge));
    let wrong: Vec<String> = rows
        .map(|(row, got)| {
            let (expected, got) = (shown(expected(row, merge)), shown(got.as_deref()));
            format!("{}: {got}, expected {expected}", row.0.escape_ascii())
        })
        .collect();
    assert!(wrong.is_empty(), "merge_slashes {merge:?}\n{}", wrong.join("\n"));
}

#[test]
fn nginx_normalises_as_the_design_says() {
    let nginx = UriEcho::start();
    let targets: Vec<Vec<u8>> = KNOWN.iter().map(|row| row.0.to_vec()).collect();
    for (address, merge) in ways(&nginx) {
        judge(merge, ask_all(address, &targets).into_iter().map(|served| Some(served?.uri)));
    }
}

#[test]
fn we_normalise_as_the_design_says() {
    for merge in [MergeSlashes::On, MergeSlashes::Off] {
        judge(merge, KNOWN.iter().map(|row| normalise(row.0, merge)));
    }
}

/// How one target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Both know the same path
    Same,
    /// nginx refuses, and we know no path
    BothRefuse,
    /// A query or a fragment without a path: nginx refuses it, where we take it for `/`
    NoPath,
    /// Anything else. No other difference is known: we are neither stricter nor laxer
    Mismatch,
}

fn compare(served: Option<&Served>, target: &[u8], merge: MergeSlashes) -> (Outcome, Option<Vec<u8>>) {
    let ours = normalise(served.map_or(target, |served| &served.request_uri), merge);
    let outcome = match (served, &ours) {
        (Some(served), Some(ours)) if served.uri == *ours => Outcome::Same,
        (None, None) => Outcome::BothRefuse,
        (None, Some(_)) if matches!(target.first(), None | Some(b'?' | b'#')) => Outcome::NoPath,
        _ => Outcome::Mismatch,
    };
    (outcome, ours)
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn we_know_the_path_of_every_target_that_nginx_serves() {
    let (count, seed) = (setting("DETECO_DIFFERENTIAL", TARGETS), setting("DETECO_SEED", 1));
    let nginx = UriEcho::start();
    let targets: Vec<Vec<u8>> = Targets::new(seed).take(count as usize).collect();
    let (mut counts, mut wrong) = (BTreeMap::<Outcome, usize>::new(), Vec::new());
    for (address, merge) in ways(&nginx) {
        for (target, served) in targets.iter().zip(ask_all(address, &targets)) {
            let (outcome, ours) = compare(served.as_ref(), target, merge);
            *counts.entry(outcome).or_default() += 1;
            if outcome == Outcome::Mismatch && wrong.len() < SHOWN {
                let (target, ours) = (target.escape_ascii(), shown(ours.as_deref()));
                let theirs = shown(served.as_ref().map(|served| &*served.uri));
                wrong.push(format!("{target} merge {merge:?}: nginx {theirs}, ours {ours}"));
            }
        }
    }
    println!("{count} targets, merge_slashes on and off, seed {seed}: {counts:?}");
    assert!(counts.contains_key(&Outcome::Same), "nginx serves none: {counts:?}");
    assert!(wrong.is_empty(), "seed {seed}: {counts:?}, among them\n{}", wrong.join("\n"));
}
