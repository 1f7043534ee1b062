//! What hinders nothing, and an operator should look at.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use token::Key;

use super::plan::Plan;
use crate::Prefix;
use crate::file::{Covered, Service};

/// How long before its end a key is told.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// At `now`, in the order of the file.
pub(super) fn of(plan: &Plan, now: SystemTime) -> Vec<String> {
    let mut warnings = Vec::new();
    for (service, draft) in plan.file.services.iter().zip(&plan.drafts) {
        let say = |what: String| format!("{}: {what}", draft.place);
        warnings.extend(paths(service.get_ref()).into_iter().map(say));
        warnings.extend(draft.repeated.iter().cloned().map(say));
        for fact in &draft.keys {
            warnings.extend(validity(&fact.key, now).map(|what| say(format!("{}: {what}", fact.from))));
        }
    }
    warnings.extend(shared_keys(plan));
    warnings.extend(denied(plan));
    warnings.extend(denied_keys(plan));
    warnings
}

/// Who mistypes a service denies nobody, and believes otherwise.
fn denied(plan: &Plan) -> Option<String> {
    let path = plan.file.deny_file.as_ref()?;
    let ids: HashSet<&str> = plan.drafts.iter().map(|draft| draft.id.as_str()).collect();
    let mut unknown: Vec<&str> =
        plan.denied.list.subjects().filter(|subject| !ids.contains(subject)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    let (first, at) = (unknown.first()?, plan.file.source.at(&path.span()));
    let more = if unknown.len() > 1 { format!(", and {} more,", unknown.len() - 1) } else { String::new() };
    Some(format!("{at}: deny_file: the sub {first:?}{more} is no service's id, and so denies nobody"))
}

/// Whoever holds a key that has no name may name it in a token as he likes.
fn denied_keys(plan: &Plan) -> Option<String> {
    let path = plan.file.deny_file.as_ref()?;
    let keys = || plan.drafts.iter().flat_map(|draft| &draft.keys).map(|fact| fact.key.kid.as_deref());
    let published = plan.drafts.iter().any(|draft| draft.published.is_some());
    let is_known = |kid: &str| published || keys().any(|own| own == Some(kid));
    let unknown = plan.denied.list.kids().filter(|kid| !is_known(kid)).min()?;
    let at = plan.file.source.at(&path.span());
    Some(format!(
        "{at}: deny_file: no key has the kid {unknown:?}: only tokens that name it are denied, and their signer \
         may leave it out; remove the key instead"
    ))
}

/// Those of `paths`, then those of rules, which say nothing new below the former.
fn paths(service: &Service) -> Vec<String> {
    let any = service.paths.iter().enumerate();
    let any = any.map(|(index, path)| (format!("paths[{index}]"), &path.get_ref().0));
    let listed = service.rules.iter().enumerate();
    let listed = listed.map(|(index, rule)| (format!("rule[{index}]"), &rule.get_ref().path.get_ref().0));
    let mut known: Vec<(String, &Prefix)> = Vec::new();
    let mut warnings = Vec::new();
    for (place, (name, covered)) in any.chain(listed).enumerate() {
        warnings.extend(spelling(covered).map(|what| format!("{name}: {what}")));
        if let Some((first, prefix)) = known.iter().find(|(_, prefix)| covers(prefix, &covered.prefix)) {
            let (written, prefix) = (&covered.written, prefix.as_str());
            let what = format!("{written:?} adds nothing, {first} has {prefix} already; remove one");
            warnings.push(format!("{name}: {what}"));
        }
        if place < service.paths.len() {
            known.push((name, &covered.prefix));
        }
    }
    warnings
}

/// Whether one path allows all that another one does.
fn covers(known: &Prefix, other: &Prefix) -> bool {
    let (known, other) = (known.as_str(), other.as_str());
    known == "/" || other.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn spelling(covered: &Covered) -> Option<String> {
    let (written, prefix) = (&covered.written, covered.prefix.as_str());
    if prefix == "/" {
        return Some(format!("{written:?} is everything"));
    }
    if !written.starts_with('/') {
        return Some(format!("{written:?} is taken as {prefix:?}; write it so"));
    }
    let star = written.contains('*');
    star.then(|| format!("{written:?}: a * is a letter like any other; a path covers what is below it"))
}

fn validity(key: &Key, now: SystemTime) -> Option<String> {
    let (from, to) = (key.not_before.map(daemon::log::utc), key.not_after.map(daemon::log::utc));
    match (key.not_before, key.not_after) {
        (_, Some(end)) if end < now => Some(format!("the key is inactive since {}; replace it", to?)),
        (Some(start), _) if now < start => Some(format!("the key is inactive until {}", from?)),
        (_, Some(end)) if end.duration_since(now).is_ok_and(|left| left <= SOON) => {
            Some(format!("the key ends on {}; replace it before", to?))
        }
        _ => None,
    }
}

/// Whoever holds such a key chooses which service to be.
fn shared_keys(plan: &Plan) -> Vec<String> {
    let mut first: HashMap<&str, (&str, &str)> = HashMap::new();
    let mut warnings = Vec::new();
    for draft in &plan.drafts {
        for fact in &draft.keys {
            let (id, from) = *first.entry(fact.key.public.fingerprint()).or_insert((&draft.id, &fact.from));
            if id != draft.id {
                let also = if plan.file.audience.0.is_empty() {
                    "; and without audience a token of it for anything else is taken"
                } else {
                    ""
                };
                let place = &draft.place;
                warnings.push(format!(
                    "{place}: {}: the same key as {from} of {id:?}: its holder may be either{also}",
                    fact.from
                ));
            }
        }
    }
    warnings
}

/// What only nginx can make true: worth a look with `check`, and not at every start.
pub(super) fn of_nginx(plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    for (service, draft) in plan.file.services.iter().zip(&plan.drafts) {
        let service = service.get_ref();
        let only_if = |what, header| {
            format!("{}: {what} only if nginx sets {header}; see deteco nginx-conf", draft.place)
        };
        if !service.rules.is_empty() {
            warnings.push(only_if("methods hold", "X-Original-Method"));
        }
        if !service.scopes.is_empty() {
            warnings.push(only_if("scopes hold", "X-Deteco-Scope"));
        }
    }
    warnings
}
