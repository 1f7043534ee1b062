//! The wording of the steps.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::hint::hint;
use crate::cache::TokenHash;
use crate::decide::{Account, Decision, Step};
use crate::path::Paths;
use crate::{Identity, Methods, Reason, Rule, Status};

/// A line a step.
pub(super) struct Story {
    now: SystemTime,
    text: String,
}

impl Account for Story {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Token { bytes, hash } => self.token(bytes, hash),
            Step::Service(service) => {
                self.ok("service", &format!("its subject (sub) is {:?}, a service of the file", service.id))
            }
            Step::Verified(identity) => self.verified(identity),
            Step::NotDenied(list) => {
                self.ok("deny list", &format!("it is none of the {} entries", list.len()))
            }
            Step::Path { raw, paths } => self.path(raw, paths),
            Step::Rule(rule) => self.rule(rule),
            Step::Scope(scope) => {
                self.ok("scope", &format!("the location asks for {scope:?}, which the service has"))
            }
        }
    }
}

impl Story {
    pub(super) fn at(now: SystemTime) -> Self {
        Story { now, text: String::new() }
    }

    fn ok(&mut self, step: &str, what: &str) {
        self.line(step, "ok", what);
    }

    fn line(&mut self, step: &str, verdict: &str, what: &str) {
        let _ = writeln!(self.text, "{step:<10} {verdict:<3} {what}"); // a String takes everything
    }

    fn token(&mut self, bytes: usize, hash: &TokenHash) {
        let hash = short(hash);
        self.ok("token", &format!("there is one, {bytes} bytes long (token={hash} in the log)"));
    }

    fn verified(&mut self, identity: &Identity) {
        let verified = &identity.verified;
        let key = identity
            .service
            .keys
            .keys()
            .iter()
            .find(|key| key.public.fingerprint() == verified.key_fingerprint);
        let kind = key.map_or_else(String::new, |key| format!("{} ", key.public.kind()));
        let named = verified.kid.as_ref().map_or_else(String::new, |kid| format!(" (kid {kid:?})"));
        let short = verified.key_fingerprint.get(..16).unwrap_or_default();
        self.ok("key", &format!("its {kind}key {short}{named} made the signature, {}", verified.algorithm));
        let (issued, expires) = (self.when(verified.issued), self.when(verified.expires));
        self.ok("times", &format!("issued {issued}, expires {expires}"));
    }

    fn path(&mut self, raw: &[u8], paths: &Paths<'_>) {
        let served: Vec<String> = paths.each().map(shown).collect();
        self.ok("path", &format!("nginx serves {} for {}", served.join(" or "), shown(raw)));
    }

    fn rule(&mut self, rule: &Rule) {
        let methods = match &rule.methods {
            Methods::Any => "with any method".to_owned(),
            Methods::Listed(methods) => {
                let names: Vec<&str> = methods.iter().map(|method| method.0.as_str()).collect();
                format!("with {}", names.join(", "))
            }
        };
        self.ok(
            "rule",
            &format!("the service may see {:?} and what is below it, {methods}", rule.prefix.as_str()),
        );
    }

    /// `2026-11-21T23:24:19.000Z (in 5m)`.
    fn when(&self, time: SystemTime) -> String {
        let (ago, ahead) = (self.now.duration_since(time), time.duration_since(self.now));
        let relative = match (ago, ahead) {
            (_, Ok(ahead)) if !ahead.is_zero() => format!("in {}", span(ahead)),
            (Ok(ago), _) => format!("{} ago", span(ago)),
            (Err(_), _) => "now".to_owned(),
        };
        format!("{} ({relative})", daemon::log::utc(time))
    }

    /// The whole text, with the answer.
    pub(super) fn end(mut self, decision: &Decision<'_>) -> String {
        match &decision.outcome {
            Ok(identity) => self.allowed(identity),
            Err(reason) => self.refused(*reason),
        }
        self.text
    }

    fn allowed(&mut self, identity: &Identity) {
        self.text.push_str("\n200: the request may go on. The answer says\n");
        for (name, value) in &identity.headers {
            let _ = writeln!(self.text, "    {name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        for name in &identity.left_out {
            let _ = writeln!(
                self.text,
                "    {name} is left out: the claim is missing, or no text of visible ASCII"
            );
        }
    }

    fn refused(&mut self, reason: Reason) {
        self.line(step(reason), "NO", &reason.to_string());
        let meaning = match reason.status() {
            Status::Forbidden => "403: it is known who asks, and this may not be seen",
            Status::Allowed | Status::Unauthorized => "401: it is not known who asks",
        };
        let code = reason.code();
        let _ = writeln!(self.text, "\n{meaning} (reason={code} in the log)\n    {}", hint(reason));
    }
}

/// The step that a reason belongs to.
fn step(reason: Reason) -> &'static str {
    use token::Refused::*;
    match reason {
        Reason::Token(Expired | TooOld | Future | NotYet | Lifetime) => "times",
        Reason::Token(NoKeys | NoKey | KidMissing | Algorithm | Signature | KeyExpired | KeyRemoved) => "key",
        Reason::Token(_) => "token",
        Reason::NoService => "service",
        Reason::Denied => "deny list",
        Reason::Path | Reason::Method | Reason::NoMethod | Reason::SeveralMethods => "rule",
        Reason::NoScope | Reason::SeveralScopes | Reason::Scope => "scope",
        Reason::NoUri
        | Reason::SeveralUris
        | Reason::UriTooLong
        | Reason::UriMalformed
        | Reason::UriNotCanonical => "path",
    }
}

/// As in the log.
fn short(hash: &TokenHash) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// `3d 4h`, `2m 5s`: the two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let used = units.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = used.map(|(count, unit)| format!("{count}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let rows = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (125, "2m 5s"),
            (7260, "2h 1m"),
            (86_401, "1d"),
            (90_000, "1d 1h"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
