//! What an attempt to resume that failed means for the session.

use std::time::Duration;

use tunnel::dialect2::NoResume;
use tunnel::session_id::Instance;

use crate::attempt::AttemptError;
use crate::retry::Again;

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt, after as long as the gateway asked for.
    Again(Option<Duration>),
    /// Another attempt, with a new credential.
    Renew,
    /// None.
    Final(NoResume),
}

/// Only the gateway itself can say that a session is over, and only the one that had it.
pub(super) fn of(error: &AttemptError, ours: Option<Instance>, renewed: bool) -> Verdict {
    let AttemptError::Refused(refusal) = error else { return Verdict::Again(None) };
    let Some(word) = refusal.word.as_deref() else { return Verdict::Again(None) };
    let after = match refusal.again() {
        Again::After(time) => Some(time),
        Again::Soon | Again::Never => None,
    };
    let misrouted = refusal.instance.is_some_and(|theirs| ours.is_some_and(|ours| ours != theirs));
    match (refusal.status.as_u16(), word) {
        (401, _) if !renewed => Verdict::Renew,
        (410, _) if misrouted => Verdict::Again(None),
        (410, "finished") => Verdict::Final(NoResume::Finished),
        (410, "reset") => Verdict::Final(NoResume::Reset),
        (409, _) => Verdict::Final(NoResume::Stale),
        (429 | 500.., _) => Verdict::Again(after),
        _ => Verdict::Final(NoResume::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refusal;
    use http::{HeaderMap, StatusCode};

    #[test]
    fn only_the_gateways_word_is_final() {
        let [again, gone] = [Verdict::Again(None), Verdict::Final(NoResume::Gone)];
        let after = |seconds| Verdict::Again(Some(Duration::from_secs(seconds)));
        let (ours, theirs) = (Some("2; instance=00c0ffee"), Some("2; instance=00bad0ff"));
        for (status, word, tunnel, renewed, expected) in [
            (400, Some("bad-request"), None, false, gone),
            (401, Some("credential"), None, false, Verdict::Renew),
            (401, Some("credential"), None, true, gone),
            (403, Some("forbidden"), None, false, gone),
            (403, Some("origin"), None, false, gone),
            (404, Some("unknown-destination"), None, false, gone),
            (409, Some("stale"), None, false, Verdict::Final(NoResume::Stale)),
            (410, Some("finished"), ours, false, Verdict::Final(NoResume::Finished)),
            (410, Some("reset"), None, false, Verdict::Final(NoResume::Reset)),
            (410, Some("gone"), ours, false, gone),
            (410, Some("gone"), theirs, false, again),
            (410, Some("finished"), theirs, false, again),
            (429, Some("limit"), None, false, after(2)),
            (503, Some("draining"), None, false, after(2)),
            (503, Some("identity-not-ready"), None, false, again),
            (401, None, None, false, again),
            (403, None, None, false, again),
            (404, None, None, false, again),
            (410, None, None, false, again),
            (302, None, None, false, again),
            (200, None, None, false, again),
            (502, None, None, false, again),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [("wsgate-refusal", word), ("wsgate-tunnel", tunnel), ("retry-after", Some("2"))]
            {
                value.map(|value| headers.insert(name, value.parse().unwrap()));
            }
            let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), &headers, b"");
            let verdict = of(&AttemptError::Refused(refusal), Some(Instance(0xc0ffee)), renewed);
            assert_eq!(verdict, expected, "{status} {word:?} {tunnel:?}");
        }
        for error in [AttemptError::Silent(Duration::ZERO), AttemptError::NotResumed] {
            assert_eq!(of(&error, None, true), again, "{error}");
        }
    }
}
