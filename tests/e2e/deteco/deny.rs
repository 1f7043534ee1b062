//! The deny list: what is on it is refused at once, though it was let in a moment ago.

use std::fs;
use std::process::Command;

use e2e::certificate::openssl;
use e2e::deteco::service_with_kid;
use e2e::eventually::eventually;
use e2e::issuer::{claims, now};
use e2e::process::Signal;
use e2e::programs::output_of;
use e2e::scratch::Scratch;
use serde_json::json;

use super::Site;

/// A list without an entry; an empty file might be one that is just being written.
const NOBODY: &str = "# nobody\n";

/// A site with a deny list, which has no entry, and a token that nginx has let in already.
struct Listed {
    site: Site,
    list: Scratch,
    bearer: String,
}

impl Listed {
    fn new() -> Listed {
        let list = Scratch::new();
        let file = list.write("deny", NOBODY);
        let conf =
            |issuer: &_| format!("deny_file = {file:?}\n{}", service_with_kid("alice", issuer, &["/path1"]));
        let site = Site::with(conf, |sample| sample);
        let bearer = format!("Bearer {}", site.issuer.token(&claims("alice", json!({"jti": "token-7"}))));
        let listed = Listed { site, list, bearer };
        listed.becomes(200);
        listed.becomes(200);
        listed
    }

    /// Writes the list and says so.
    fn write(&mut self, content: &str) {
        self.list.write("deny", content);
        self.site.deteco.process.signal(Signal::HUP);
    }

    fn status(&self) -> u16 {
        self.site.get("/path1", &self.bearer).status
    }

    fn becomes(&self, status: u16) {
        eventually(&format!("the token is answered {status}"), || (self.status() == status).then_some(()));
    }

    /// SHA-256 of what is signed: header and payload.
    fn signing_hash(&self) -> String {
        let token = self.bearer.trim_start_matches("Bearer ");
        let file = self.list.write("input", token.rsplit_once('.').unwrap().0);
        openssl(&self.list, &format!("dgst -sha256 -r {file}")).split(' ').next().unwrap().to_owned()
    }
}

/// A time as the list has it.
fn rfc3339(seconds: u64) -> String {
    let mut date = Command::new("date");
    output_of(date.args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])).trim().to_owned()
}

#[test]
fn each_kind_of_entry_bites_on_a_cached_token_and_lets_go() {
    let mut listed = Listed::new();
    let hash = listed.signing_hash();
    let soon = rfc3339(now() + 50);
    for (number, entry) in [
        "jti token-7".to_owned(),
        "sub alice".to_owned(),
        "kid a".to_owned(),
        format!("sha256 {hash}"),
        format!("iat-before {soon}"),
        format!("iat-before {soon} sub alice"),
        "# somebody lost a laptop\n\n  jti token-7\n".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        listed.write(&entry);
        listed.becomes(401);
        assert_eq!(listed.status(), 401, "{entry} stays");
        let denied = || {
            let decisions = listed.site.deteco.decisions();
            decisions.iter().filter(|event| event.text("reason").as_deref() == Some("denied")).count()
        };
        eventually(&format!("{entry} is the reason"), || (denied() > number).then_some(()));
        listed.write(NOBODY);
        listed.becomes(200);
    }
}

#[test]
fn entries_for_others_do_not_bite() {
    let mut listed = Listed::new();
    let hash = listed.signing_hash();
    let (past, soon) = (rfc3339(now() - 3600), rfc3339(now() + 50));
    let other_hash =
        if hash.starts_with('0') { hash.replacen('0', "1", 1) } else { format!("0{}", &hash[1..]) };
    let others = format!(
        "jti token-70\njti token\njti TOKEN-7\nsub alic\nsub alice2\nkid b\nsha256 {other_hash}\n\
         iat-before {past}\niat-before {soon} sub bob\n# jti token-7\n"
    );
    // What is behind them in the list bites: it was read.
    listed.write(&format!("{others}jti token-7\n"));
    listed.becomes(401);
    listed.write(&others);
    listed.becomes(200);
    assert_eq!(listed.status(), 200);
}

#[test]
fn a_list_that_changes_is_read_without_a_signal() {
    let listed = Listed::new();
    listed.list.write("deny", "jti token-7\n");
    listed.becomes(401);
    let renamed = listed.list.write("new", NOBODY);
    fs::rename(renamed, listed.list.file("deny")).unwrap();
    listed.becomes(200);
}

#[test]
fn a_bad_list_keeps_the_old_and_its_line_is_logged() {
    let mut listed = Listed::new();
    listed.write("jti token-7\n");
    listed.becomes(401);
    for (number, bad) in
        ["jti", "nobody knows", "sha256 xyz", "iat-before yesterday", "kid"].iter().enumerate()
    {
        let place = format!("deny:{}", number + 1);
        listed.write(&format!("{}{bad}\n", "#\n".repeat(number)));
        eventually(&format!("{bad} is complained about"), || {
            listed.site.deteco.process.stderr().contains(&place).then_some(())
        });
        assert_eq!(listed.status(), 401, "{bad}");
    }
    fs::remove_file(listed.list.file("deny")).unwrap();
    listed.site.deteco.process.signal(Signal::HUP);
    for _ in 0..20 {
        assert_eq!(listed.status(), 401, "a list that is gone denies as before");
    }
}
