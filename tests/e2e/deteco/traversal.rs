//! Spellings of a path that one program takes for /path1/… and another for /secret/…

use std::fs;

use e2e::application::Application;
use e2e::deteco::service;
use e2e::nginx::{Nginx, Sample};

use super::{Site, get};

/// Each names /secret/f for nginx or for an application behind it, in some reading.
const SPELLINGS: [&str; 64] = [
    // the five that passed the original
    "/path1/../secret/f",
    "/path1/%2e%2e/secret/f",
    "/path1/..%2fsecret/f",
    "/path1/%3f/../../secret/f",
    "/path1/..//secret/f",
    // dots, encoded or not, in every mixture
    "/path1/.%2e/secret/f",
    "/path1/%2e./secret/f",
    "/path1/%2E%2E/secret/f",
    "/path1/%2e%2E/secret/f",
    "/path1/./../secret/f",
    "/path1/%2e/%2e%2e/secret/f",
    "/path1/x/../../secret/f",
    "/path1/x/y/../../../secret/f",
    "/path1/x/%2e%2e/%2e%2e/secret/f",
    "/path1/../path1/../secret/f",
    "/path1/../secret/../secret/f",
    "/path1/../../secret/f",
    "/path1/../secret/./f",
    "/path1/..",
    // slashes, encoded, doubled, turned
    "/path1/..%2Fsecret/f",
    "/path1/..%2fsecret%2ff",
    "/path1%2f..%2fsecret%2ff",
    "/path1%2f../secret/f",
    "/path1//../secret/f",
    "/path1//../../secret/f",
    "/path1///../../../secret/f",
    "/path1/x//../../secret/f",
    "/path1/..\\secret\\f",
    "/path1\\..\\secret\\f",
    "/path1/..%5csecret%5cf",
    "/path1/..%5Csecret/f",
    "/path1%5c..%5csecret%5cf",
    "//path1/../secret/f",
    "//secret/f",
    "/%2fsecret/f",
    "/./secret/f",
    "/secret/f",
    "/%73ecret/f",
    "/%73%65%63%72%65%74/f",
    "/secret//f",
    "/secret/../secret/f",
    // decoded twice
    "/path1/%252e%252e/secret/f",
    "/path1/..%252fsecret/f",
    "/path1/%25%32%65%25%32%65/secret/f",
    "/path1/..%255csecret/f",
    "/path1/%252e%252e%252fsecret/f",
    // questions, fragments, parameters
    "/path1/%3f/../../secret/f?x",
    "/path1/%3f%2e%2e/../../secret/f",
    "/path1/%23/../../secret/f",
    "/path1/#/../../secret/f",
    "/path1#/../../secret/f",
    "/path1/..;/secret/f",
    "/path1/..;x=1/secret/f",
    "/path1/.;/../secret/f",
    "/path1;/../secret/f",
    "/path1/%2e%2e;/secret/f",
    "/path1/..%3b/secret/f",
    // bytes that end or split a string somewhere
    "/path1/..%00/secret/f",
    "/path1/%00/../../secret/f",
    "/path1/..%0a/../secret/f",
    "/path1/..%0d%0a/../../secret/f",
    "/path1/%20/../../secret/f",
    "/path1/..%c0%afsecret/../../secret/f",
    "/path1/%ff/../../secret/f",
];

/// What is allowed, so that a site that refuses everything does not pass.
const GOOD: [&str; 5] = ["/path1/f", "/path1/", "/path1/f?x=/../secret/f", "/path1/...", "/path1/a..b/.c"];

/// Asks for all spellings; nothing of /secret may come of it.
fn refuses(site: &Site) {
    let alice = site.alice();
    for spelling in SPELLINGS {
        let absolute = format!("GET http://app.test{spelling} HTTP/1.1");
        for request in [get(spelling, &alice), get("/", &alice).line(&absolute)] {
            let answer = request.with("Connection", "close").ask(site.nginx.address);
            assert!(matches!(answer.status, 400 | 403), "{spelling}: {answer:?}");
            assert!(!answer.body.contains("TOP SECRET"), "{spelling}: {answer:?}");
        }
    }
    assert_eq!(site.application.reached("/secret"), Vec::<String>::new());
}

fn accepts_good(site: &Site) {
    for path in GOOD {
        assert_eq!(site.get(path, &site.alice()).status, 200, "{path}");
    }
    assert_eq!(site.application.targets().len(), GOOD.len());
}

#[test]
fn no_spelling_reaches_an_application_that_gets_the_raw_path() {
    let site = Site::new();
    accepts_good(&site);
    refuses(&site);
}

#[test]
fn no_spelling_reaches_an_application_that_gets_the_path_of_nginx() {
    let site = Site::with(
        |issuer| service("alice", issuer, &["/path1"]),
        |sample| sample.passing_to("proxy_pass http://app/;"),
    );
    accepts_good(&site);
    refuses(&site);
}

#[test]
fn no_spelling_reaches_through_slashes_that_are_not_merged() {
    let site = Site::with(
        |issuer| service("alice", issuer, &["/path1"]),
        |sample| sample.replacing("location / {", "merge_slashes off;\nlocation / {"),
    );
    accepts_good(&site);
    refuses(&site);
}

/// nginx with files of its own.
fn files(policy: &str) -> Site {
    let site = Site::with(
        |issuer| format!("{policy}\n{}", service("alice", issuer, &["/path1"])),
        |sample| sample.passing_to("root files;"),
    );
    put_files(&site.nginx);
    site
}

#[test]
fn no_spelling_reaches_a_file_that_nginx_serves() {
    let site = files("");
    assert_eq!(site.get("/path1/f", &site.alice()).body, "welcome");
    refuses(&site);
}

#[test]
fn uri_policy_nginx_takes_other_spellings_and_still_serves_nothing_secret() {
    let site = files("uri_policy = \"nginx\"");
    let alice = site.alice();
    for spelling in ["/path1/f", "/path1/./f", "/path1/x/../f", "/x/../path1/f", "/%70ath1/f", "/path1/%66"] {
        assert_eq!(site.get(spelling, &alice).body, "welcome", "{spelling}");
    }
    for spelling in SPELLINGS {
        let answer = get(spelling, &alice).with("Connection", "close").ask(site.nginx.address);
        assert!(!answer.body.contains("TOP SECRET"), "{spelling}: {answer:?}");
    }
}

#[test]
fn most_spellings_reach_the_file_where_nobody_guards_it() {
    // A list of spellings that lead nowhere would prove nothing.
    let application = Application::start();
    let sample = Sample::new(application.address(), application.address());
    let open = sample.passing_to("root files;").replacing("auth_request /_deteco;", "").start();
    put_files(&open);
    let served = |spelling: &&&str| {
        let answer = get(spelling, "").with("Connection", "close").ask(open.address);
        answer.body.contains("TOP SECRET")
    };
    let count = SPELLINGS.iter().filter(served).count();
    assert!(count >= 30, "{count} of them lead to the file");
}

/// `path1/f` and `secret/f` among the files that nginx serves.
fn put_files(nginx: &Nginx) {
    for (dir, content) in [("path1", "welcome"), ("secret", "TOP SECRET")] {
        let path = nginx.scratch().path().join("files").join(dir);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("f"), content).unwrap();
    }
}
