//! What decides on a request: read from files as a whole, and replaced as a whole.

mod reload;
mod source;

use crate::destinations::{Destination, Destinations};
use crate::identity::{Identity, Known};
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
    /// What tells two configurations apart: the flags and all files, as a hash.
    pub digest: String,
}

impl Policy {
    /// The destination of this name, if the caller may reach it.
    pub(crate) fn reach(&self, name: &str, known: &Known) -> Result<&Destination, Refusal> {
        let destination = self.destinations.get(name).ok_or(Refusal::UnknownDestination)?;
        let decided = self.rules.decide(name, &known.proven());
        decided.map_err(|reason| Refusal::Forbidden { name: name.to_owned(), reason })?;
        Ok(destination)
    }

    /// Counts a tunnel of `user` to `destination`, which is called `name`. Anonymous callers are nobody in
    /// particular, so no bound of a user's is theirs.
    ///
    /// # Errors
    /// Of what there are too many.
    pub(crate) fn count(
        &self,
        tally: &Tally,
        name: &str,
        destination: &Destination,
        user: &str,
    ) -> Result<Permit, Of> {
        let (user, name) = (user.to_owned(), name.to_owned());
        let mut bounds =
            vec![Bound { of: Of::Destination(name.clone()), limit: destination.max_connections }];
        if !user.is_empty() {
            let both = Of::Both { user: user.clone(), destination: name };
            bounds.push(Bound { of: both, limit: destination.max_connections_per_user });
            bounds.push(Bound { of: Of::User(user), limit: self.max_connections_per_user });
        }
        tally.admit(bounds)
    }
}

#[cfg(test)]
mod tests;
