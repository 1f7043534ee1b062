//! Facts that change only when the configuration does.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::{App, Config};

/// A hash of all that is configured, and the apps with their labels and listeners.
pub(crate) fn metadata(config: &Config) -> Map<String, Value> {
    let apps: Map<_, _> = config.apps.iter().map(|app| (app.name.clone(), of_app(app))).collect();
    let facts = [("configuration", json!(hash(config))), ("apps", json!(apps))];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_app(app: &App) -> Value {
    let labels: Vec<_> = app.labels.iter().map(ToString::to_string).collect();
    let listen: Vec<_> = app.rules.iter().map(ToString::to_string).collect();
    json!({ "labels": labels, "listen": listen })
}

/// Of what flags, file and environment come to, as this version writes it.
fn hash(config: &Config) -> String {
    let hash = digest(&SHA256, format!("{config:?}").as_bytes());
    hash.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::argv::{self, Dash};
    use std::ffi::OsString;

    fn of(line: &str) -> Map<String, Value> {
        let words = ["motarei"].into_iter().chain(line.split_whitespace()).map(OsString::from);
        metadata(&Config::from_args(argv::parse(words, Dash::Double).unwrap(), |_| None, 1024).unwrap())
    }

    #[test]
    fn it_changes_with_the_configuration_alone() {
        let web = of("--label app=web --listen :80=8000");
        assert_eq!(web, of("--listen :80=8000 --hold 10s -l app=web"));
        assert_ne!(web["configuration"], of("--label app=web --listen :80=8000 --hold 9s")["configuration"]);
        assert_eq!(web["apps"], json!({ "app=web": { "labels": ["app=web"], "listen": [":80=8000"] } }));
        assert_eq!(web["configuration"].as_str().unwrap().len(), 7 + 64);
    }
}
