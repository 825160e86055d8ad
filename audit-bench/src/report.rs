//! The results as a table in Markdown.

use std::fmt::Write as _;

use crate::measure::{Measured, Results};
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::statistics::{median, percentile};

/// The table of one database.
pub(crate) fn table(results: &Results) -> String {
    let mut rows = vec![header()];
    for operation in Operation::ALL {
        for kind in Kind::ALL {
            let cells = Path::ALL.map(|path| results.get(&(operation, kind, path)));
            if cells.iter().any(Option::is_some) {
                let names = [operation.name().to_owned(), kind.name().to_owned()];
                let cells = Path::ALL.into_iter().zip(cells).map(|(path, measured)| {
                    measured.map_or("-".to_owned(), |measured| cell(path, measured))
                });
                rows.push(names.into_iter().chain(cells).collect());
            }
        }
    }
    aligned(&rows)
}

fn header() -> Vec<String> {
    let names = ["operation", "kind"].into_iter();
    names
        .chain(Path::ALL.map(Path::name))
        .map(str::to_owned)
        .collect()
}

/// `median µs (ratio, p10–p90; statements)`, without the ratio for bare SeaORM itself.
fn cell(path: Path, measured: &Measured) -> String {
    if path == Path::Bare {
        let micros = grouped(median(&measured.micros));
        return format!("{micros} (1; {})", measured.statements);
    }
    let ratio = |share| percentile(&measured.ratios, share);
    format!(
        "{} ({:.2}, {:.2}–{:.2}; {})",
        grouped(median(&measured.micros)),
        ratio(0.5),
        ratio(0.1),
        ratio(0.9),
        measured.statements
    )
}

/// A number without its fraction, and with commas between the thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Rows of equal width, the first one being the header.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if at == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_says_median_ratio_spread_and_statements() {
        let measured = Measured {
            micros: vec![1200.0, 1234.4, 9000.0],
            ratios: vec![1.0, 2.0, 3.0],
            statements: 3,
        };
        assert_eq!(cell(Path::Hooks, &measured), "1,234 (2.00, 1.20–2.80; 3)");
        assert_eq!(cell(Path::Bare, &measured), "1,234 (1; 3)");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7.4), "7");
        assert_eq!(grouped(999.9), "1,000");
        assert_eq!(grouped(123_456.0), "123,456");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn missing_measurement_is_a_dash() {
        let key = (Operation::Insert, Kind::Autocommit, Path::Bare);
        let results = Results::from([(key, Measured::default())]);
        let last = table(&results).lines().last().map(str::to_owned);
        let last = last.unwrap_or_default().replace(' ', "");
        assert!(last.starts_with("|insertone|autocommit|"), "{last}");
        assert!(last.ends_with("|-|-|-|-|-|"), "{last}");
    }
}
