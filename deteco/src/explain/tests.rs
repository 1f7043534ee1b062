//! What is told, for a file and tokens of its own.

use std::io::Write;

use serde_json::json;
use tempfile::TempDir;
use token::{NewKey, PrivateKey};

use super::*;

/// A configuration, and who may sign for its service.
struct Scene {
    dir: TempDir,
    key: PrivateKey,
}

impl Scene {
    fn new(more: &str) -> Self {
        let (dir, key) = (TempDir::new().unwrap(), PrivateKey::generate(NewKey::P256).unwrap());
        let mut conf = fs::File::create(dir.path().join("deteco.toml")).unwrap();
        let key_pem = key.public_pem();
        let service = "id = 'batch'\npaths = ['/api']\nscopes = ['read']";
        write!(conf, "[[services]]\n{service}\npublic_keys = ['''{key_pem}''']\n{more}").unwrap();
        Scene { dir, key }
    }

    /// What is told of a token for this subject, an hour old or of now.
    fn explain(&self, subject: &str, age: u64, uri: Option<&str>, scope: Option<&str>) -> Explained {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims =
            json!({"sub": subject, "iat": now - age, "exp": now - age + 600, "email": "b@example.com"});
        let token = self.key.sign(Some("2026"), &claims).unwrap();
        let token_file = self.dir.path().join("token");
        fs::write(&token_file, format!("Authorization: Bearer {token}\n")).unwrap();
        let args = ExplainArgs {
            conf: self.dir.path().join("deteco.toml"),
            token_file,
            uri: uri.map(str::to_owned),
            method: "GET".into(),
            scope: scope.map(str::to_owned),
            jwt_freshness: "1h".parse().unwrap(),
            state_dir: None,
        };
        let explained = explain(&args).unwrap();
        assert!(!explained.text.contains(&token), "a token is a password");
        explained
    }
}

#[test]
fn every_step_up_to_the_answer_is_told() {
    let scene = Scene::new("[services.headers]\nX-Deteco-Email = 'email'\nX-Deteco-Name = 'name'");
    let told = scene.explain("batch", 30, Some("/api/x?secret=1"), Some("read"));
    assert!(told.allowed, "{}", told.text);
    let steps: Vec<&str> = told.text.lines().take_while(|line| !line.is_empty()).collect();
    let names = ["token", "service", "key", "times", "deny list", "path", "rule", "scope"];
    assert_eq!(steps.len(), names.len(), "{}", told.text);
    for (step, name) in steps.iter().zip(names) {
        assert!(step.starts_with(name) && step.contains(" ok "), "{step}");
    }
    for part in ["P-256", "kid \"2026\"", "ES256", "s ago", "in 9m", "nginx serves /api/x for", "200: "] {
        assert!(told.text.contains(part), "{part}: {}", told.text);
    }
    assert!(
        told.text.contains(
            "x-deteco-user: batch\n    x-deteco-email: b@example.com\n    x-deteco-name is left out"
        )
    );
}

#[test]
fn the_step_that_fails_is_the_last_and_has_a_hint() {
    let scene = Scene::new("");
    let rows = [
        ("nobody", 60, Some("/api"), Some("read"), "service", "no_service", "401: ", "[[services]]"),
        ("batch", 3600, Some("/api"), Some("read"), "times", "expired", "401: ", "new token"),
        ("batch", 60, Some("/secret"), Some("read"), "rule", "path", "403: ", "`paths`"),
        ("batch", 60, Some("/api//x"), Some("read"), "path", "uri_not_canonical", "403: ", "uri_policy"),
        ("batch", 60, None, Some("read"), "path", "no_uri", "403: ", "--uri"),
        ("batch", 60, Some("/api"), None, "scope", "no_scope", "403: ", "--scope"),
        ("batch", 60, Some("/api"), Some("write"), "scope", "scope", "403: ", "`scopes`"),
    ];
    for (subject, age, uri, scope, step, code, status, hint) in rows {
        let told = scene.explain(subject, age, uri, scope);
        let last = told.text.lines().take_while(|line| !line.is_empty()).last().unwrap();
        assert!(!told.allowed && last.starts_with(step) && last.contains(" NO "), "{code}: {}", told.text);
        for part in [status, &format!("reason={code} "), hint] {
            assert!(told.text.contains(part), "{part}: {}", told.text);
        }
    }
}

#[test]
fn a_token_is_read_in_every_form() {
    let rows = [
        ("a.b.c\n", Some("Bearer a.b.c")),
        ("Bearer a.b.c", Some("Bearer a.b.c")),
        ("authorization:  Bearer a.b.c\n", Some("Bearer a.b.c")),
        ("Basic dXNlcjpw", Some("Basic dXNlcjpw")),
        (" \n", None),
    ];
    for (text, expected) in rows {
        assert_eq!(authorization(text).ok().as_deref(), expected, "{text:?}");
    }
}
