//! What counts as a deploy: new connections go to a container that is newer than all they went to before.
//!
//! Going back to an older one is none, nor is coming forth again after that. Nor is the choice among those that
//! were ready before we looked, of which an old one may have answered first.

use crate::fleet::Fleet;
use crate::routes::Routes;

/// An app's newest container that connections went to.
#[derive(Debug, Default)]
pub(super) struct Deploys {
    /// When it was created, and its id.
    newest: Option<(i64, String)>,
    /// All that we found have been asked.
    settled: bool,
}

impl Deploys {
    /// Whether these routes are a deploy. They must be told in their order.
    pub(super) fn is_one(&mut self, fleet: &Fleet, routes: &Routes) -> bool {
        let firsts = routes.0.values().filter_map(|candidates| candidates.first());
        let members = firsts.filter_map(|first| fleet.members.get(&first.id));
        let Some(newest) = members.map(|member| (member.container.created, member.id())).max() else {
            return false;
        };
        let is_newer = self.newest.as_ref().is_none_or(|(created, id)| newest > (*created, id));
        if is_newer {
            self.newest = Some((newest.0, newest.1.to_owned()));
        }
        let was_settled = self.settled;
        self.settled |= fleet.is_asked();
        is_newer && was_settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::What;
    use crate::fleet::tests::{Stand, app};

    /// Takes what the fleet says now.
    fn deployed(deploys: &mut Deploys, stand: &Stand) -> bool {
        deploys.is_one(&stand.fleet, &stand.fleet.routes())
    }

    #[test]
    fn a_newer_container_that_serves_is_one_deploy_whatever_it_does_then() {
        let (mut stand, mut deploys) = (Stand::new(app()), Deploys::default());
        assert!(!deployed(&mut deploys, &stand), "nothing");
        stand.list(&["a"]);
        assert!(!deployed(&mut deploys, &stand), "nothing that serves");
        stand.ready(&["a"]);
        assert!(!deployed(&mut deploys, &stand), "the first");
        stand.list(&["a", "b"]);
        stand.ready(&["a"]);
        assert!(!deployed(&mut deploys, &stand), "it boots");
        stand.later(100);
        stand.ready(&["a", "b"]);
        assert!(deployed(&mut deploys, &stand));
        assert!(!deployed(&mut deploys, &stand), "it is counted");
        stand.happens("b", What::Paused);
        assert!(!deployed(&mut deploys, &stand), "back");
        stand.happens("b", What::Unpaused);
        stand.ready(&["a", "b"]);
        assert_eq!(stand.route(), ["b", "a"]);
        assert!(!deployed(&mut deploys, &stand), "and forth");
    }

    #[test]
    fn one_that_comes_when_the_old_one_is_gone_is_one_too() {
        let (mut stand, mut deploys) = (Stand::new(app()), Deploys::default());
        stand.list(&["a"]);
        stand.ready(&["a"]);
        deployed(&mut deploys, &stand);
        stand.list(&[]);
        assert!(!deployed(&mut deploys, &stand));
        stand.list(&["-", "b"]);
        stand.ready(&["b"]);
        assert!(deployed(&mut deploys, &stand));
    }

    #[test]
    fn what_was_there_before_us_is_none_in_whatever_order_it_answers() {
        for (boots, expected) in [(false, false), (true, true)] {
            let (mut stand, mut deploys) = (Stand::new(app()), Deploys::default());
            stand.list(&["a", "b"]);
            stand.is_first("a");
            assert_eq!(stand.route(), ["a"]);
            assert!(!deployed(&mut deploys, &stand));
            if boots {
                stand.ready(&["a"]);
                assert!(!deployed(&mut deploys, &stand));
                stand.later(100);
            }
            stand.ready(&["a", "b"]);
            assert_eq!(deployed(&mut deploys, &stand), expected);
        }
    }
}
