//! What a location declares and a method is, through nginx.

use e2e::deteco::{question, service};
use e2e::http::Request;

use super::{Site, get, scoped};

/// alice has scopes and no paths; bob has a scope and paths; carol has paths alone.
fn scopes() -> Site {
    Site::with(
        |issuer| {
            let alice =
                service("alice", issuer, &[]).replace("paths = []", "scopes = [\"reports\", \"mail\"]");
            let bob = service("bob", issuer, &["/r", "/plain"])
                .replace("paths =", "scopes = [\"reports\"]\npaths =");
            alice + &bob + &service("carol", issuer, &["/r", "/plain"])
        },
        |sample| {
            let locations = [("/r/", "reports"), ("/mail/", "mail"), ("/admin/", "admin")];
            locations.iter().fold(sample, |sample, (path, scope)| sample.serving(&scoped(path, scope)))
        },
    )
}

/// A path, and who may see it.
const ROWS: [(&str, [u16; 3]); 5] = [
    ("/r/x", [200, 200, 403]),
    ("/mail/x", [200, 403, 403]),
    ("/admin/x", [403, 403, 403]),
    // the location of the sample declares nothing
    ("/plain/x", [403, 403, 200]),
    ("/x", [403, 403, 403]),
];

#[test]
fn a_scope_is_what_the_location_declares_and_is_asked_in_addition_to_paths() {
    let site = scopes();
    for (path, expected) in ROWS {
        for (subject, status) in ["alice", "bob", "carol"].into_iter().zip(expected) {
            let answer = site.get(path, &site.issuer.bearer(subject));
            assert_eq!(answer.status, status, "{subject} at {path}");
        }
    }
}

#[test]
fn a_scope_of_the_client_changes_nothing() {
    let site = scopes();
    for (path, expected) in ROWS {
        for (subject, status) in ["alice", "bob", "carol"].into_iter().zip(expected) {
            let request = get(path, &site.issuer.bearer(subject));
            let names = ["X-Deteco-Scope", "x-deteco-scope", "X_Deteco_Scope", "deteco_scope"];
            let request = names.iter().fold(request, |request, name| request.and(name, "reports"));
            assert_eq!(request.ask(site.nginx.address).status, status, "{subject} at {path}");
        }
    }
}

#[test]
fn a_scope_must_be_declared_exactly_once() {
    let site = scopes();
    let ask = |scopes: &[&str]| {
        let request = question("/r/x", &site.issuer.bearer("bob"));
        scopes.iter().fold(request, |r, scope| r.and("X-Deteco-Scope", scope)).ask(site.deteco.address).status
    };
    assert_eq!(ask(&["reports"]), 200);
    for scopes in
        [&[][..], &[""], &["reports", "reports"], &["reports, mail"], &["reports", "mail"], &["REPORTS"]]
    {
        assert_eq!(ask(scopes), 403, "{scopes:?}");
    }
}

/// alice may read /path1 and write /path1/inbox.
fn methods() -> Site {
    Site::with(
        |issuer| {
            service("alice", issuer, &[]).replace("paths = []\n", "")
                + "[[services.rule]]\npath = \"/path1\"\nmethods = [\"GET\"]\n"
                + "[[services.rule]]\npath = \"/path1/inbox\"\nmethods = [\"POST\", \"PUT\"]\n"
        },
        |sample| sample,
    )
}

fn ask_by(site: &Site, method: &str, path: &str) -> Request {
    // An answer to HEAD has a length and no body: its end is the connection's.
    get(path, &site.alice()).line(&format!("{method} {path} HTTP/1.1")).with("Connection", "close")
}

#[test]
fn a_method_is_what_the_client_uses() {
    let site = methods();
    for (method, path, status) in [
        ("GET", "/path1/x", 200),
        ("HEAD", "/path1/x", 200),
        ("POST", "/path1/x", 403),
        ("DELETE", "/path1/x", 403),
        ("OPTIONS", "/path1/x", 403),
        ("FOO", "/path1/x", 403),
        ("POST", "/path1/inbox/1", 200),
        ("PUT", "/path1/inbox/1", 200),
        ("GET", "/path1/inbox/1", 200),
        ("DELETE", "/path1/inbox/1", 403),
        ("GET", "/secret", 403),
    ] {
        assert_eq!(ask_by(&site, method, path).ask(site.nginx.address).status, status, "{method} {path}");
    }
}

#[test]
fn a_method_that_the_client_only_names_changes_nothing() {
    let site = methods();
    let names = ["X-Original-Method", "x-original-method", "X_Original_Method", "X-HTTP-Method-Override"];
    for name in names {
        let answer = ask_by(&site, "POST", "/path1/x").and(name, "GET").ask(site.nginx.address);
        assert_eq!(answer.status, 403, "{name}");
        let answer = ask_by(&site, "GET", "/path1/x").and(name, "POST").ask(site.nginx.address);
        assert_eq!(answer.status, 200, "{name}");
    }
    assert_eq!(site.application.targets().len(), names.len());
}

#[test]
fn a_method_must_be_told_exactly_once() {
    let site = methods();
    let ask = |request: Request| request.ask(site.deteco.address).status;
    let asked = question("/path1/x", &site.alice());
    assert_eq!(ask(asked.clone()), 200);
    assert_eq!(ask(asked.clone().without("X-Original-Method")), 403);
    assert_eq!(ask(asked.clone().and("X-Original-Method", "GET")), 403);
    assert_eq!(ask(asked.with("X-Original-Method", "get")), 403, "methods are case-sensitive");
}
