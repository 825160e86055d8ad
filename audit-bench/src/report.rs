//! The results as a table in Markdown.

use std::fmt::Write as _;

use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::results::{Cell, DatabaseRun, Ratio};

/// The section of one database.
pub(crate) fn section(run: &DatabaseRun) -> String {
    format!(
        "## {}\n\n{} rounds; {}; {:.0} bytes per audit row with its indexes. Bare SeaORM in µs; the others as a ratio \
         to it (10th–90th percentile).\n\n{}",
        run.name,
        run.rounds,
        run.durability,
        run.bytes_per_row,
        table(run)
    )
}

fn table(run: &DatabaseRun) -> String {
    let header = ["operation", "kind"].into_iter();
    let mut rows: Vec<Vec<String>> = vec![
        header
            .chain(Path::ALL.map(Path::name))
            .map(str::to_owned)
            .collect(),
    ];
    for operation in Operation::ALL.map(Operation::name) {
        for kind in Kind::ALL.map(Kind::name) {
            let cells = Path::ALL.map(|path| run.cell(operation, kind, path.name()));
            if cells.iter().any(Option::is_some) {
                let names = [operation.to_owned(), kind.to_owned()];
                let cells = cells
                    .into_iter()
                    .map(|found| found.map_or("-".to_owned(), cell));
                rows.push(names.into_iter().chain(cells).collect());
            }
        }
    }
    aligned(&rows)
}

fn cell(cell: &Cell) -> String {
    if cell.path == Path::Bare.name() {
        grouped(cell.micros)
    } else {
        ratio(cell.ratio)
    }
}

/// `median (10th–90th percentile)`.
pub(crate) fn ratio(ratio: Ratio) -> String {
    format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.low, ratio.high)
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
    fn thousands_are_grouped() {
        assert_eq!(grouped(7.4), "7");
        assert_eq!(grouped(999.9), "1,000");
        assert_eq!(grouped(123_456.0), "123,456");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn table_has_micros_ratios_and_dashes() {
        let of = |path: Path, micros, median| Cell {
            operation: Operation::Insert.name().to_owned(),
            kind: Kind::Autocommit.name().to_owned(),
            path: path.name().to_owned(),
            micros,
            ratio: Ratio {
                median,
                low: 1.2,
                high: 2.8,
            },
            statements: 1,
        };
        let run = DatabaseRun {
            name: "SQLite".to_owned(),
            rounds: 3,
            durability: String::new(),
            bytes_per_row: 1.0,
            cells: vec![of(Path::Bare, 1234.4, 1.0), of(Path::Hooks, 2468.0, 2.0)],
        };
        let last = table(&run).lines().last().map(str::to_owned);
        let last = last.unwrap_or_default().replace(' ', "");
        assert_eq!(
            last,
            "|insertone|autocommit|1,234|-|2.00(1.20–2.80)|-|-|-|-|-|-|"
        );
    }
}
