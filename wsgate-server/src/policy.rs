//! What decides on a request: read from files as a whole, and replaced as a whole.

mod reload;
mod source;

use crate::destinations::{Destination, Destinations};
use crate::identity::{Caller, Identity, Known};
use crate::limits::{Bound, Of, Permit, Tally};
use crate::origin::Origins;
use crate::refusal::Refusal;
use crate::rules::Rules;

pub(crate) use reload::Reload;

/// Who may pass. A request is decided on by one policy from its beginning to its end, and a tunnel that is
/// open does not hear of the next one.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name to service.
    pub destinations: Destinations,
    /// How callers are told apart.
    pub identity: Identity,
    /// Which web pages may connect.
    pub origins: Origins,
    /// Who may reach which destination.
    pub rules: Rules,
    /// Tunnels of one user at once; `None`: no bound.
    pub max_connections_per_user: Option<usize>,
}

impl Policy {
    /// The destination of this name, if the caller may reach it.
    pub(crate) fn reach(&self, name: &str, known: &Known) -> Result<&Destination, Refusal> {
        let destination = self.destinations.get(name).ok_or(Refusal::UnknownDestination)?;
        let decided = self.rules.decide(name, &known.proven());
        decided.map_err(|reason| Refusal::Forbidden { name: name.to_owned(), reason })?;
        Ok(destination)
    }

    /// Counts a tunnel of `caller` to `destination`, which is called `name`. Anonymous callers are nobody in
    /// particular, so no bound of a user's is theirs.
    pub(crate) fn count(
        &self,
        tally: &Tally,
        name: &str,
        destination: &Destination,
        caller: &Caller,
    ) -> Result<Permit, Refusal> {
        let (user, name) = (caller.user.clone(), name.to_owned());
        let mut bounds =
            vec![Bound { of: Of::Destination(name.clone()), limit: destination.max_connections }];
        if !user.is_empty() {
            let both = Of::Both { user: user.clone(), destination: name };
            bounds.push(Bound { of: both, limit: destination.max_connections_per_user });
            bounds.push(Bound { of: Of::User(user), limit: self.max_connections_per_user });
        }
        tally.admit(bounds).map_err(|full| match full {
            Of::Destination(name) => Refusal::DestinationLimit { name },
            Of::User(_) | Of::Both { .. } => Refusal::UserLimit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;
    use crate::rules::Bare;
    use std::path::Path;

    const FILE: &str = "max_connections_per_user = 3\n\
        [[destination]]\nname = 'open'\nupstream = 'h:1'\n\
        [[destination]]\nname = 'few'\nupstream = 'h:1'\nmax_connections = 2\nmax_connections_per_user = 1\n\
        [[destination]]\nname = 'listed'\nupstream = 'h:1'\nallow = ['alice']\n";

    fn policy() -> Policy {
        let file = File::parse(FILE, Path::new("w.toml")).unwrap();
        let mut destinations = Destinations::default();
        destinations.extend(&file.destinations, Path::new("w.toml")).unwrap();
        Policy {
            destinations,
            identity: Identity::Anonymous { protected: true },
            origins: Origins::default(),
            rules: file.rules(Bare::Sub),
            max_connections_per_user: file.max_connections_per_user,
        }
    }

    fn known(sub: &str) -> Known {
        let caller = Caller { user: sub.to_owned(), ..Caller::default() };
        Known { caller, sub: Some(sub.to_owned()).filter(|sub| !sub.is_empty()), ..Known::default() }
    }

    fn answer<T>(result: Result<T, Refusal>) -> u16 {
        result.map_or_else(|refusal| refusal.status().as_u16(), |_| 101)
    }

    #[test]
    fn a_destination_is_reached_by_those_it_names() {
        let policy = policy();
        for (sub, name, expected) in [
            ("alice", "open", 101),
            ("alice", "listed", 101),
            ("bob", "open", 101),
            ("bob", "listed", 403),
            ("", "open", 101),
            ("", "listed", 403),
            ("bob", "none", 404),
        ] {
            assert_eq!(answer(policy.reach(name, &known(sub))), expected, "{sub} to {name}");
        }
        let refusal = policy.reach("listed", &known("bob")).unwrap_err();
        assert_eq!(refusal.word(), "forbidden");
    }

    #[test]
    fn tunnels_are_bounded_by_user_and_destination() {
        let (policy, tally) = (policy(), Tally::default());
        let mut open = vec![];
        for (sub, name, expected) in [
            ("alice", "few", 101),
            ("alice", "few", 429),
            ("bob", "few", 101),
            ("carol", "few", 429),
            ("", "few", 429),
            ("alice", "open", 101),
            ("alice", "open", 101),
            ("alice", "open", 429),
            ("", "open", 101),
            ("", "open", 101),
            ("", "open", 101),
            ("", "open", 101),
        ] {
            let destination = policy.destinations.get(name).unwrap();
            let counted = policy.count(&tally, name, destination, &known(sub).caller);
            let word = counted.as_ref().err().map(Refusal::word);
            assert!(word.is_none_or(|word| word == "limit"));
            let permit = counted.map(|permit| open.push(permit));
            assert_eq!(answer(permit), expected, "{sub} to {name}");
        }
        open.clear();
        let few = policy.destinations.get("few").unwrap();
        assert!(policy.count(&tally, "few", few, &known("alice").caller).is_ok(), "permits come back");
    }
}
