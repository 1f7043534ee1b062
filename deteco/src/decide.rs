//! The decision: who is it, and may it see this?
//!
//! ```text
//! Authorization ─► token ─► cache ─ hit ─► times, key and deny list again ───┐
//!                            └ miss ─► service by `sub` ─► key ─► deny list ─┤
//!                     X-Original-URI ─► path, X-Original-Method ─► rule ◄────┘
//!                     X-Deteco-Scope ─► scope ─► Decision
//! ```

mod account;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use https::jwks::JwksCache;
use token::{Bare, Refused, Unverified};

use crate::cache::TokenHash;
use crate::identity::sha256;
use crate::path::{self, Paths};
use crate::{Identity, Lines, Question, Reason, Rule, Ruleset, Service, UriPolicy};
pub(crate) use account::{Account, Step, Untold};

/// What was decided, and what was learned on the way for the log.
#[derive(Debug)]
pub struct Decision<'q> {
    /// Who may go on; or why not
    pub outcome: Result<Arc<Identity>, Reason>,
    /// Whose token it is, as far as it is proven: a 403 has one, a 401 may
    pub identity: Option<Arc<Identity>>,
    /// The unproven `kid` of a token that did not verify: hostile text
    pub kid: Option<String>,
    /// The first 8 bytes of the token's SHA-256, if there was one token
    pub token_hash: Option<[u8; 8]>,
    /// What nginx serves for the URI, with merged slashes, if that can be told: any bytes but NUL
    pub path: Option<Cow<'q, [u8]>>,
    /// Whether the identity came from the cache
    pub cached: bool,
    /// The JWK set to be told of a `kid` that is not in it
    pub refetch: Option<JwksCache>,
}

/// Decides on a question. Nothing here waits or fails.
pub fn decide<'q>(question: &Question<'q>, rules: &Ruleset, now: SystemTime) -> Decision<'q> {
    decide_told(question, rules, now, &mut Untold)
}

/// Decides, and tells each step that went well.
pub(crate) fn decide_told<'q>(
    question: &Question<'q>,
    rules: &Ruleset,
    now: SystemTime,
    account: &mut impl Account,
) -> Decision<'q> {
    let mut case = Case { question, rules, now, account, learned: Learned::default() };
    let outcome = case.judge();
    let Learned { identity, kid, token_hash, path, cached, refetch } = case.learned;
    let path = path.or_else(|| served(question.uri));
    Decision { outcome, identity, kid, token_hash, path, cached, refetch }
}

/// For the log of a request that was refused before its path was looked at.
fn served(uri: Lines<'_>) -> Option<Cow<'_, [u8]>> {
    let Lines::One(raw) = uri else { return None };
    path::paths(raw, UriPolicy::Nginx).ok().map(|paths| paths.merged)
}

/// All but the outcome of a [`Decision`].
#[derive(Default)]
struct Learned<'q> {
    identity: Option<Arc<Identity>>,
    kid: Option<String>,
    token_hash: Option<[u8; 8]>,
    path: Option<Cow<'q, [u8]>>,
    cached: bool,
    refetch: Option<JwksCache>,
}

struct Case<'a, 'q, A> {
    question: &'a Question<'q>,
    rules: &'a Ruleset,
    now: SystemTime,
    account: &'a mut A,
    learned: Learned<'q>,
}

impl<'q, A: Account> Case<'_, 'q, A> {
    fn judge(&mut self) -> Result<Arc<Identity>, Reason> {
        let token = token::bearer(self.question.authorization, Bare::Refuse)?.token;
        let hash = sha256(token);
        self.learned.token_hash = hash.first_chunk().copied();
        self.account.step(Step::Token { bytes: token.len(), hash: &hash });
        let identity = match self.rules.cache.get(&hash) {
            Some(identity) => self.recheck(identity, &hash)?,
            None => self.verify(token, hash)?,
        };
        self.learned.identity = Some(identity.clone());
        self.account.step(Step::Verified(&identity));
        if self.rules.denied.denies(&identity) {
            return Err(Reason::Denied);
        }
        self.account.step(Step::NotDenied(&self.rules.denied));
        self.check_path(&identity.service)?;
        self.check_scope(&identity.service)?;
        Ok(identity)
    }

    /// Time has passed since the token was verified, and its key may have run out.
    fn recheck(&mut self, identity: Arc<Identity>, hash: &TokenHash) -> Result<Arc<Identity>, Refused> {
        self.learned.cached = true;
        match identity.verified.recheck(&identity.service.keys, &self.rules.policy, self.now) {
            Ok(()) => Ok(identity),
            Err(refused) => {
                self.rules.cache.remove(hash);
                self.learned.identity = Some(identity);
                Err(refused)
            }
        }
    }

    fn verify(&mut self, token: &str, hash: TokenHash) -> Result<Arc<Identity>, Reason> {
        let unverified = Unverified::parse(token)?;
        self.learned.kid = unverified.kid().map(str::to_owned);
        let service = self.rules.services.get(unverified.subject()).ok_or(Reason::NoService)?;
        self.account.step(Step::Service(service));
        let verified = unverified.verify(&service.keys, &self.rules.policy, self.now);
        if verified.is_err() && service.lacks_key(self.learned.kid.as_deref()) {
            self.learned.refetch.clone_from(&service.jwks);
        }
        let identity = Arc::new(Identity::new(verified?, service.clone(), token));
        self.rules.cache.insert(hash, identity.clone());
        Ok(identity)
    }

    fn check_path(&mut self, service: &Service) -> Result<(), Reason> {
        if service.rules.is_empty() {
            return Ok(());
        }
        let raw = match self.question.uri {
            Lines::None => return Err(Reason::NoUri),
            Lines::Several => return Err(Reason::SeveralUris),
            Lines::One(raw) => raw,
        };
        let paths = path::paths(raw, self.rules.uri_policy)?;
        self.account.step(Step::Path { raw, paths: &paths });
        let allowed = self.find_rule(service, &paths);
        self.learned.path = Some(paths.merged);
        allowed
    }

    /// Whichever path is served, a rule must have it.
    fn find_rule(&mut self, service: &Service, paths: &Paths<'_>) -> Result<(), Reason> {
        for path in paths.each() {
            let rule = self.rule_of(service, path)?;
            self.account.step(Step::Rule(rule));
        }
        Ok(())
    }

    fn rule_of<'s>(&self, service: &'s Service, path: &[u8]) -> Result<&'s Rule, Reason> {
        let mut reason = Reason::Path;
        for rule in service.rules.iter().filter(|rule| rule.prefix.covers(path)) {
            match rule.methods.allow(self.question.method) {
                Ok(()) => return Ok(rule),
                Err(refused) => reason = refused,
            }
        }
        Err(reason)
    }

    /// A location that declares a scope asks for it, whatever the service has; and a service that has scopes
    /// gets only what asks for one of them.
    fn check_scope(&mut self, service: &Service) -> Result<(), Reason> {
        let scopes = match (&service.scopes, self.question.scope) {
            (None, Lines::None) => return Ok(()),
            (Some(_), Lines::None) => return Err(Reason::NoScope),
            (_, Lines::Several) => return Err(Reason::SeveralScopes),
            (None, Lines::One(_)) => return Err(Reason::Scope),
            (Some(scopes), Lines::One(scope)) => scopes.iter().find(|own| own.as_bytes() == scope),
        };
        self.account.step(Step::Scope(scopes.ok_or(Reason::Scope)?));
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
