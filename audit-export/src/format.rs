//! The formats: [`ExportFormat`].

use std::fmt;
use std::str::FromStr;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// CSV as RFC 4180 has it, in UTF-8, with a line of names. `changes` and `metadata` are JSON text.
    ///
    /// A cell of text that begins with `=`, `+`, `-`, `@`, a tab, a carriage return or a line feed gets a `'` before it,
    /// so that no spreadsheet runs it as a formula (OWASP: CSV injection). Numbers in the column of numbers, `id`, stay.
    /// Use another format where a program needs the exact text.
    Csv,
    /// JSON Lines: one object for each record, in UTF-8. `changes` and `metadata` are nested JSON.
    JsonLines,
    /// Apache Parquet: `id` as INT64, `occurred_at` as a TIMESTAMP in microseconds, UTC, the others as UTF-8.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: &'static [Self] = &[
        Self::Csv,
        Self::JsonLines,
        #[cfg(feature = "parquet")]
        Self::Parquet,
    ];

    /// The word that the record of an export has: `CSV`, `JSONL` or `PARQUET`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::JsonLines => "JSONL",
            #[cfg(feature = "parquet")]
            Self::Parquet => "PARQUET",
        }
    }

    /// The usual extension of a file's name: `csv`, `jsonl` or `parquet`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    /// The media type, for the header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no format of an export; the formats are {}", known())]
pub struct UnknownFormat(());

fn known() -> String {
    let words = ExportFormat::ALL.iter().map(|format| format.extension());
    words.collect::<Vec<_>>().join(", ")
}

impl FromStr for ExportFormat {
    type Err = UnknownFormat;

    /// Reads the extension or the word, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let is = |format: &&Self| {
            text.eq_ignore_ascii_case(format.extension())
                || text.eq_ignore_ascii_case(format.as_str())
        };
        Self::ALL.iter().find(is).copied().ok_or(UnknownFormat(()))
    }
}
