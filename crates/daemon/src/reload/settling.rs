//! Whether a change is over: whoever writes a file does it in several steps.

use std::time::Duration;

use tokio::time::Instant;

use super::stamp::Stamps;

/// A change counts when all files have looked the same for so long.
const REST: Duration = Duration::from_secs(1);

/// A change that may not be over.
#[derive(Debug, Default)]
pub(super) struct Settling(Option<(Stamps, Instant)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// As known.
    Same,
    /// Not as known, and not at rest; the next look is worth it then.
    Unsettled { until: Instant },
    /// Not as known, and at rest.
    Changed,
}

impl Settling {
    /// At `now` the files look as in `seen`; the consumer read them when they looked as in `known`.
    pub(super) fn look(&mut self, known: &Stamps, seen: &Stamps, now: Instant) -> Look {
        if seen == known {
            self.0 = None;
            return Look::Same;
        }
        let since = match &self.0 {
            Some((before, since)) if before == seen => *since,
            _ => now,
        };
        let until = since + REST;
        if now >= until {
            self.0 = None;
            return Look::Changed;
        }
        self.0 = Some((seen.clone(), since));
        Look::Unsettled { until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::stamp::Stamp;
    use std::path::PathBuf;

    /// A file of each stamp, in order.
    fn files(stamps: &[Option<Stamp>]) -> Stamps {
        stamps.iter().enumerate().map(|(i, s)| (PathBuf::from(i.to_string()), s.clone())).collect()
    }

    #[test]
    fn a_change_counts_when_it_has_rested_for_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| {
            let path = dir.path().join(name);
            std::fs::write(&path, name).unwrap();
            Stamp::of(&path)
        });
        let known = files(&[a.clone(), b.clone()]);
        let (first, second) = (files(&[c.clone(), b]), files(&[c, None]));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut settling = Settling::default();
        for (ms, seen, expected, why) in [
            (0, &known, Look::Same, "nothing has changed"),
            (900, &first, Look::Unsettled { until: at(1900) }, "just changed"),
            (1899, &first, Look::Unsettled { until: at(1900) }, "not for a second"),
            (1900, &second, Look::Unsettled { until: at(2900) }, "changed again: removed"),
            (2800, &known, Look::Same, "changed back"),
            (2900, &second, Look::Unsettled { until: at(3900) }, "begins anew"),
            (3900, &second, Look::Changed, "at rest"),
            (3901, &second, Look::Unsettled { until: at(4901) }, "still not known"),
            (9999, &second, Look::Changed, "looked at late"),
        ] {
            assert_eq!(settling.look(&known, seen, at(ms)), expected, "{why}");
        }
    }
}
