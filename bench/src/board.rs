//! What was measured: samples, a row a measure, a column a contestant.

/// All samples of a run.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) contestants: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured, with its unit.
    pub(crate) measure: &'static str,
    /// Of each contestant.
    pub(crate) samples: Vec<Vec<f64>>,
}

impl Board {
    pub(crate) fn new(contestants: Vec<String>) -> Self {
        Self { contestants, rows: Vec::new() }
    }

    /// Adds a sample; a new measure becomes the last row.
    pub(crate) fn add(&mut self, contestant: usize, measure: &'static str, sample: f64) {
        let at = self.rows.iter().position(|row| row.measure == measure).unwrap_or_else(|| {
            self.rows.push(Row { measure, samples: vec![Vec::new(); self.contestants.len()] });
            self.rows.len() - 1
        });
        self.rows[at].samples[contestant].push(sample);
    }
}

/// The middle and the ends of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None of no samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), least, most })
    }
}

/// The value below which `percent` of the sorted samples lie, by the nearest rank; 0 of none.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        for (samples, expected) in [
            (&[][..], None),
            (&[3.0], Some((3.0, 3.0, 3.0))),
            (&[4.0, 1.0], Some((2.5, 1.0, 4.0))),
            (&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0))),
            (&[4.0, 3.0, 2.0, 1.0], Some((2.5, 1.0, 4.0))),
        ] {
            let spread = Spread::of(samples).map(|spread| (spread.median, spread.least, spread.most));
            assert_eq!(spread, expected, "{samples:?}");
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (samples, percent, expected) in [
            (&hundred[..], 50, 50.0),
            (&hundred, 99, 99.0),
            (&hundred, 100, 100.0),
            (&hundred[..3], 50, 2.0),
            (&hundred[..1], 99, 1.0),
            (&[], 99, 0.0),
        ] {
            assert_eq!(percentile(samples, percent), expected, "p{percent} of {}", samples.len());
        }
    }

    #[test]
    fn a_measure_is_a_row() {
        let mut board = Board::new(vec!["a".into(), "b".into()]);
        for (contestant, measure, sample) in [(0, "x", 1.0), (1, "x", 2.0), (1, "y", 3.0), (0, "x", 4.0)] {
            board.add(contestant, measure, sample);
        }
        let rows: Vec<_> = board.rows.iter().map(|row| (row.measure, row.samples.clone())).collect();
        assert_eq!(
            rows,
            [("x", vec![vec![1.0, 4.0], vec![2.0]]), ("y", vec![vec![], vec![3.0]])],
            "in the order of their first sample"
        );
    }
}
