//! Rules of the house that no compiler checks: who may know whom, licences, one version of each dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::OnceLock;

use e2e::programs::{cargo, output_of, workspace};
use serde_json::Value;

/// The graph drawn in architecture.md: a crate, and those of ours that it may depend on.
const MAY_KNOW: [(&str, &[&str]); 13] = [
    ("wsgate-server", &["tunnel", "relay", "token", "https", "monitor", "daemon"]),
    ("wsgate-client", &["tunnel", "relay", "token", "https", "monitor", "daemon"]),
    ("motarei", &["relay", "monitor", "daemon"]),
    ("deteco", &["token", "https", "monitor", "daemon"]),
    ("sabo", &["monitor", "daemon"]),
    ("monitor", &["daemon"]),
    ("tunnel", &["relay"]),
    ("https", &["token"]),
    ("relay", &[]),
    ("token", &[]),
    ("daemon", &[]),
    (
        "e2e",
        &["wsgate-server", "wsgate-client", "motarei", "deteco", "sabo", "tunnel", "relay", "token", "https"],
    ),
    (
        "bench",
        &["wsgate-server", "wsgate-client", "motarei", "deteco", "sabo", "tunnel", "relay", "token", "https"],
    ),
];

/// Crates of which two versions are built, each with the reason.
const TWICE: [(&str, &str); 2] = [
    ("syn", "zeroize_derive is the last derive macro that has not moved to syn 3; build time only"),
    (
        "untrusted",
        "jsonwebtoken wants aws-lc-rs with its ring-like readers (0.7), webpki has 0.9; 300 lines each",
    ),
];

/// `cargo metadata`, once.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let text = output_of(cargo().args(["metadata", "--format-version", "1", "--offline", "--locked"]));
        serde_json::from_str(&text).unwrap()
    })
}

fn packages() -> impl Iterator<Item = &'static Value> {
    metadata()["packages"].as_array().unwrap().iter()
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or("")
}

/// Ours have no source; what comes from a registry has one.
fn is_ours(package: &Value) -> bool {
    package["source"].is_null()
}

/// What is built for some target of ours, without what only another platform would need.
fn built() -> &'static BTreeSet<String> {
    static BUILT: OnceLock<BTreeSet<String>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let arguments =
            ["tree", "--workspace", "--offline", "--locked", "--edges", "all", "--prefix", "none"];
        let tree = output_of(cargo().args(arguments).args(["--format", "{p}"]));
        tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    })
}

fn is_built(package: &Value) -> bool {
    built().contains(&format!("{} v{}", text(package, "name"), text(package, "version")))
}

#[test]
fn the_crate_graph_is_the_drawn_one() {
    let drawn: BTreeMap<&str, &[&str]> = MAY_KNOW.into();
    let ours: BTreeSet<&str> =
        packages().filter(|package| is_ours(package)).map(|p| text(p, "name")).collect();
    for package in packages().filter(|package| is_ours(package)) {
        let name = text(package, "name");
        let allowed = drawn.get(name).unwrap_or_else(|| panic!("{name} is not drawn in architecture.md"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = text(dependency, "name");
            assert!(!ours.contains(to) || allowed.contains(&to), "{name} must not know {to}");
        }
    }
}

#[test]
fn ring_is_not_in_the_dependency_graph() {
    assert!(built().iter().any(|package| package.starts_with("aws-lc-rs ")), "one crypto provider: aws-lc");
    for other in ["ring ", "openssl ", "openssl-sys ", "native-tls "] {
        assert!(!built().iter().any(|package| package.starts_with(other)), "{other}is not that provider");
    }
}

#[test]
fn every_licence_is_on_the_list_of_deny_toml() {
    let allowed = listed_in_deny_toml("allow");
    assert!(allowed.contains("MIT") && allowed.contains("Apache-2.0"), "the list is read: {allowed:?}");
    for package in packages().filter(|package| is_built(package)) {
        let licence = text(package, "license");
        assert!(permits(licence, &allowed), "{} has the licence {licence:?}", text(package, "name"));
    }
}

/// Whether an SPDX expression can be met: every part of an AND, one of an OR; `/` is an old OR.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let (mut rest, mut groups) = (expression.as_str(), Vec::new());
    // No expression in use nests deeper than one pair of parentheses.
    while let Some((before, inner_and_after)) = rest.split_once('(') {
        let Some((inner, after)) = inner_and_after.split_once(')') else { return false };
        groups.push(before.trim().trim_end_matches("AND").trim_end_matches("OR"));
        groups.push(inner);
        rest = after.trim().trim_start_matches("AND").trim_start_matches("OR");
    }
    groups.push(rest);
    let one_of = |text: &str| {
        text.split(" OR ").any(|choice| choice.split(" AND ").all(|part| allowed.contains(part.trim())))
    };
    groups.retain(|group| !group.trim().is_empty());
    !groups.is_empty() && groups.into_iter().all(one_of)
}

#[test]
fn spdx_expressions_are_judged_rightly() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "ISC"].map(str::to_owned).into();
    for good in [
        "MIT",
        "MIT OR Apache-2.0",
        "GPL-3.0 OR MIT",
        "MIT/GPL-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "ISC AND (Apache-2.0 OR GPL-2.0)",
    ] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "ISC AND (GPL-2.0 OR GPL-3.0)"]
    {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn a_crate_of_two_versions_has_a_reason() {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages().filter(|package| is_built(package)) {
        versions.entry(text(package, "name")).or_default().insert(text(package, "version"));
    }
    let twice: BTreeSet<&str> =
        versions.iter().filter(|(_, all)| all.len() > 1).map(|(name, _)| *name).collect();
    let reasons: BTreeSet<&str> = TWICE.iter().map(|(name, _)| *name).collect();
    assert_eq!(twice, reasons, "each has a reason in TWICE and in deny.toml, and no reason is stale");
    assert_eq!(listed_in_deny_toml("skip").len(), TWICE.len(), "deny.toml skips the same");
}

/// The quoted strings of a list in deny.toml, comments taken away.
fn listed_in_deny_toml(list: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(workspace().join("deny.toml")).unwrap();
    let text: String =
        text.lines().map(|line| line.split('#').next().unwrap_or("").to_owned() + "\n").collect();
    let (_, after) =
        text.split_once(&format!("\n{list} = [")).unwrap_or_else(|| panic!("deny.toml has {list}"));
    let (inner, _) = after.split_once(']').unwrap();
    inner.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
