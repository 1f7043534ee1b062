//! The board as a table: median, spread, and the ratio to the first contestant.

use std::fmt::Write;

use crate::board::{Board, Row, Spread};

/// For a terminal: columns as wide as they must be.
pub(crate) fn text(board: &Board) -> String {
    let cells = cells(board);
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    lines(&cells, |row, out| {
        for (cell, &width) in row.iter().zip(&widths) {
            let _ = write!(out, "{cell:width$}   ");
        }
        out.truncate(out.trim_end().len());
    })
}

/// For a page.
pub(crate) fn markdown(board: &Board) -> String {
    let cells = cells(board);
    let rule = cells.first().map(|head| vec!["---".to_owned(); head.len()]);
    let all: Vec<_> = cells.iter().take(1).chain(rule.iter()).chain(cells.iter().skip(1)).cloned().collect();
    lines(&all, |row, out| {
        let _ = write!(out, "| {} |", row.join(" | "));
    })
}

fn lines(rows: &[Vec<String>], mut put: impl FnMut(&[String], &mut String)) -> String {
    let mut out = String::new();
    for row in rows {
        put(row, &mut out);
        out.push('\n');
    }
    out
}

/// A head, then a row a measure.
fn cells(board: &Board) -> Vec<Vec<String>> {
    let head = [String::new()].into_iter().chain(board.contestants.iter().cloned()).collect();
    [head].into_iter().chain(board.rows.iter().map(row)).collect()
}

fn row(row: &Row) -> Vec<String> {
    let spreads: Vec<_> = row.samples.iter().map(|samples| Spread::of(samples)).collect();
    let first = spreads.first().copied().flatten().map(|spread| spread.median);
    let cell = |(at, spread): (usize, &Option<Spread>)| match spread {
        None => "–".to_owned(),
        Some(spread) if at == 0 => figures(*spread),
        Some(spread) => {
            let ratio = first.filter(|first| *first != 0.0).map(|first| spread.median / first);
            figures(*spread) + &ratio.map_or(String::new(), |ratio| format!(" {ratio:.2}×"))
        }
    };
    [row.measure.to_owned()].into_iter().chain(spreads.iter().enumerate().map(cell)).collect()
}

fn figures(spread: Spread) -> String {
    format!("{} ({}–{})", short(spread.median), short(spread.least), short(spread.most))
}

/// Three digits that count.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 99.95 => 0,
        middle if middle >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let mut board = Board::new(vec!["ours".into(), "theirs".into()]);
        for (contestant, measure, sample) in
            [(0, "up GB/s", 1.5), (0, "up GB/s", 2.5), (1, "up GB/s", 1.0), (1, "p99 µs", 123.4)]
        {
            board.add(contestant, measure, sample);
        }
        let expected = "          ours               theirs
up GB/s   2.00 (1.50–2.50)   1.00 (1.00–1.00) 0.50×
p99 µs    –                  123 (123–123)
";
        assert_eq!(text(&board), expected);
        let expected = "\
|  | ours | theirs |
| --- | --- | --- |
| up GB/s | 2.00 (1.50–2.50) | 1.00 (1.00–1.00) 0.50× |
| p99 µs | – | 123 (123–123) |
";
        assert_eq!(markdown(&board), expected);
    }

    #[test]
    fn three_digits_count() {
        for (value, expected) in [
            (0.0, "0.00"),
            (0.126, "0.13"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (17_834.5, "17834"),
        ] {
            assert_eq!(short(value), expected);
        }
    }
}
