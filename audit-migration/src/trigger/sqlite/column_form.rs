//! What a column holds, as far as its text in the log depends on it.

use sea_orm_audit_core::ColumnKind;

/// The kinds of values. The SQL contains the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Text, and what SQLite keeps in the very text that the log shows, such as a date.
    Text = 0,
    Bool = 1,
    Integer = 2,
    Float = 3,
    /// A `rust_decimal::Decimal`, which SQLite keeps as REAL.
    Decimal = 4,
    /// A `bigdecimal::BigDecimal`, which comes back from REAL with every binary digit.
    BigDecimal = 5,
    Bytes = 6,
    Uuid = 7,
    Json = 8,
    /// A time of day.
    Clock = 9,
    /// A date-time without a zone.
    Naive = 10,
    /// A date-time with a zone.
    Zoned = 11,
}

impl Kind {
    pub(super) fn of(shape: &ColumnKind) -> Self {
        // SQLite has neither arrays nor vectors.
        let ColumnKind::One(kind) = shape else {
            return Self::Text;
        };
        // By name: which types exist is decided by the features of the whole build.
        match format!("{kind:?}").as_str() {
            "Bool" => Self::Bool,
            "TinyInt" | "SmallInt" | "Int" | "BigInt" | "TinyUnsigned" | "SmallUnsigned"
            | "Unsigned" | "BigUnsigned" => Self::Integer,
            "Float" | "Double" => Self::Float,
            "Decimal" => Self::Decimal,
            "BigDecimal" => Self::BigDecimal,
            "Bytes" => Self::Bytes,
            "Uuid" => Self::Uuid,
            "Json" => Self::Json,
            "ChronoTime" | "TimeTime" => Self::Clock,
            "ChronoDateTime" | "TimeDateTime" => Self::Naive,
            "ChronoDateTimeUtc"
            | "ChronoDateTimeLocal"
            | "ChronoDateTimeWithTimeZone"
            | "TimeDateTimeWithTimeZone" => Self::Zoned,
            _ => Self::Text,
        }
    }

    pub(super) const fn number(self) -> u8 {
        self as u8
    }
}
