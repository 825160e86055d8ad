//! A column's value in the forms that are recorded, as SQL.

use sea_orm_audit_core::ColumnKind;
use sea_orm_migration::sea_orm::sea_query::ArrayType as T;

use super::catalogue::Server;

/// How a column's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    Integer,
    /// An integer that may be more than 2^53.
    Large,
    Float,
    Decimal,
    Text,
    /// Text in which case does not count.
    Lower,
    Bytes,
    /// Of a BIT column.
    Bits,
    /// Of a column of 16 bytes.
    Uuid,
    Json,
    Date,
    Time,
    DateTime,
    /// A DATETIME that is taken for UTC.
    UtcDateTime,
    /// A TIMESTAMP, which is shown in the session's zone.
    Timestamp,
    /// A TIMESTAMP that is read without a zone: SeaORM's sessions are in UTC.
    NaiveTimestamp,
}

/// The largest integer that JSON keeps exact.
const EXACT: &str = "9007199254740991";
/// MariaDB's JSON functions refuse what is deeper than 31, and a record is two levels around the value.
const DEPTH: u8 = 29;

impl Form {
    /// The form for a column kind and, where it is known, the type that the column has.
    pub(super) fn of(shape: &ColumnKind, column: Option<&str>) -> Self {
        let column = column.unwrap_or_default();
        let ColumnKind::One(kind) = shape else {
            return Self::Json;
        };
        // A number that the table has as text may be no number.
        let is_text = matches!(
            column,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        );
        match kind {
            T::Bool
            | T::TinyInt
            | T::SmallInt
            | T::Int
            | T::BigInt
            | T::TinyUnsigned
            | T::SmallUnsigned
            | T::Unsigned
            | T::BigUnsigned
            | T::Float
            | T::Double
                if is_text =>
            {
                Self::Text
            }
            T::Bool => Self::Bool,
            T::TinyInt
            | T::SmallInt
            | T::Int
            | T::TinyUnsigned
            | T::SmallUnsigned
            | T::Unsigned => Self::Integer,
            T::BigInt | T::BigUnsigned => Self::Large,
            T::Float | T::Double => Self::Float,
            T::Bytes if column == "bit" => Self::Bits,
            T::Bytes => Self::Bytes,
            T::Json => Self::Json,
            T::Uuid if matches!(column, "uuid" | "char" | "varchar" | "text") => Self::Lower,
            T::Uuid => Self::Uuid,
            T::ChronoDate => Self::Date,
            T::ChronoTime => Self::Time,
            T::ChronoDateTime if column == "timestamp" => Self::NaiveTimestamp,
            T::ChronoDateTime => Self::DateTime,
            T::ChronoDateTimeUtc | T::ChronoDateTimeLocal | T::ChronoDateTimeWithTimeZone => {
                Self::zoned(column)
            }
            // The types of other crates by their names: which of them there are is decided by the features
            // of the whole build.
            other => match format!("{other:?}").as_str() {
                "Decimal" | "BigDecimal" if !is_text => Self::Decimal,
                "TimeDate" => Self::Date,
                "TimeTime" => Self::Time,
                "TimeDateTime" if column == "timestamp" => Self::NaiveTimestamp,
                "TimeDateTime" => Self::DateTime,
                "TimeDateTimeWithTimeZone" => Self::zoned(column),
                "MacAddress" => Self::Lower,
                _ => Self::Text,
            },
        }
    }

    fn zoned(column: &str) -> Self {
        if matches!(column, "datetime" | "date") {
            Self::UtcDateTime
        } else {
            Self::Timestamp
        }
    }

    /// Whether the text can be long, or have characters that are not to be shown.
    pub(super) fn is_free_text(self) -> bool {
        matches!(self, Self::Text | Self::Lower | Self::Bytes | Self::Json)
    }

    /// The value as plain text; NULL stays NULL.
    pub(super) fn text(self, column: &str) -> String {
        match self {
            Self::Bool => {
                format!(
                    "CASE WHEN {column} IS NULL THEN NULL WHEN {column} THEN 'true' ELSE 'false' END"
                )
            }
            // Adding zero leaves the zeros of ZEROFILL out, and the digits that a FLOAT is shown without.
            Self::Integer | Self::Large => format!("CAST({column} + 0 AS CHAR)"),
            Self::Float => format!(
                "CONCAT({column} + 0e0, IF(LOCATE('.', {column} + 0e0) OR LOCATE('e', {column} + 0e0), '', '.0'))"
            ),
            Self::Decimal => format!(
                "IF(LOCATE('.', {column}), \
                 TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {column})), CAST({column} AS CHAR))"
            ),
            Self::Text | Self::Json => format!("CONVERT({column} USING utf8mb4)"),
            Self::Lower => format!("LOWER(CONVERT({column} USING utf8mb4))"),
            Self::Bytes => format!("LOWER(HEX({column}))"),
            Self::Bits => format!("LOWER(LPAD(HEX({column} + 0), 2 * LENGTH({column}), '0'))"),
            Self::Uuid => format!(
                "INSERT(INSERT(INSERT(INSERT(LOWER(HEX({column})), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')"
            ),
            Self::Date => format!("DATE_FORMAT({column}, '%Y-%m-%d')"),
            Self::Time => format!("TIME_FORMAT({column}, '%H:%i:%s.%f')"),
            Self::DateTime => format!("DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%f')"),
            Self::UtcDateTime => format!("DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%fZ')"),
            Self::Timestamp => format!("DATE_FORMAT({}, '%Y-%m-%dT%H:%i:%s.%fZ')", utc(column)),
            Self::NaiveTimestamp => format!("DATE_FORMAT({}, '%Y-%m-%dT%H:%i:%s.%f')", utc(column)),
        }
    }

    /// The value as JSON, never NULL where the database can make it.
    pub(super) fn json(self, column: &str) -> String {
        let text = self.text(column);
        let some = match self {
            Self::Bool => {
                return format!(
                    "CASE WHEN {column} IS NULL THEN 'null' WHEN {column} THEN 'true' ELSE 'false' END"
                );
            }
            Self::Integer => return format!("IFNULL({column} + 0, 'null')"),
            Self::Large => format!(
                "IF({column} BETWEEN -{EXACT} AND {EXACT}, {column} + 0, CONCAT('\"', {column} + 0, '\"'))"
            ),
            Self::Float => text,
            Self::Text | Self::Lower => format!("JSON_QUOTE({text})"),
            Self::Json => document(&text, &format!(" AND NOT {}", has_odd_part(&text))),
            _ => format!("CONCAT('\"', {text}, '\"')"),
        };
        format!("IF({column} IS NULL, 'null', {some})")
    }

    /// The same of a document that has no odd number.
    pub(super) fn even_json(self, column: &str) -> String {
        let some = document(&self.text(column), "");
        format!("IF({column} IS NULL, 'null', {some})")
    }

    /// A condition: whether two values of one column are different.
    pub(super) fn differ(
        self,
        old: &str,
        new: &str,
        server: Server,
        column: Option<&str>,
    ) -> String {
        let bytes = |a: &str, b: &str| format!("NOT (CAST({a} AS BINARY) <=> CAST({b} AS BINARY))");
        match self {
            // In the session's zone two hours in autumn look the same.
            Self::Timestamp | Self::NaiveTimestamp => {
                format!("NOT (UNIX_TIMESTAMP({old}) <=> UNIX_TIMESTAMP({new}))")
            }
            Self::Text | Self::Lower | Self::Uuid | Self::Bytes => bytes(old, new),
            // Whatever is not zero is true.
            Self::Bool => format!("NOT (({old} <> 0) <=> ({new} <> 0))"),
            Self::Json if column == Some("json") => {
                let some = |value: &str| format!("IF(JSON_TYPE({value}) = 'NULL', NULL, {value})");
                format!("NOT ({} <=> {})", some(old), some(new))
            }
            Self::Json => {
                let some = |value: &str| format!("IFNULL(CONVERT({value} USING utf8mb4), 'null')");
                let (old, new) = (some(old), some(new));
                let texts = bytes(&old, &new);
                match server {
                    // It takes 1 for 1.0, hence the lengths.
                    Server::MariaDb { json_equals: true } => format!(
                        "{texts} AND NOT IFNULL(JSON_EQUALS({old}, {new}) AND \
                         LENGTH(JSON_COMPACT({old})) = LENGTH(JSON_COMPACT({new})), FALSE)"
                    ),
                    Server::MariaDb { .. } => {
                        let compact = |json: &str| format!("IFNULL(JSON_COMPACT({json}), {json})");
                        format!("{texts} AND {}", bytes(&compact(&old), &compact(&new)))
                    }
                    Server::MySql => texts,
                }
            }
            _ => format!("NOT ({old} <=> {new})"),
        }
    }
}

/// Whether a document that MariaDB takes for valid has a number that is none (`[1.]`) or that may be beyond a double, or a
/// string with an escape that is none (`"\U"`): `serde_json` would refuse it, and with it the whole record.
pub(super) fn has_odd_part(json: &str) -> String {
    // By how many digits there are before the point, and after the `e`.
    let fine = [
        r"(?:0|[1-9][0-9]{0,307})(?:\.[0-9]+)?",
        r"(?:0|[1-9][0-9]{0,199})(?:\.[0-9]+)?[eE](?:-[0-9]+|\+?[0-9]{1,2})",
        r"[0-9](?:\.[0-9]+)?[eE]\+?(?:[12][0-9]{2}|30[0-7])",
    ];
    // What is inside of strings may look alike. A quote remains of one that is none.
    let unit = r"u(?![dD][89a-fA-F])[0-9a-fA-F]{4}";
    let pair = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}";
    let escape = format!(r#"\\(?:["\\/bfnrt]|{unit}|{pair})"#);
    let string = format!(r#""[^"\\]*+(?:{escape}[^"\\]*+)*+""#);
    let pattern = format!(
        r#""|(?:^|[\[:,])\s*+(?=[-0-9])(?!-?(?:{})\s*+(?:[,}}\]]|$))"#,
        fine.join("|")
    );
    format!(
        "(REGEXP_REPLACE({json}, {}, '') REGEXP {})",
        super::quote::text(&string),
        super::quote::text(&pattern)
    )
}

/// A short expression that is in every short document in which [`has_odd_part`] finds one: a number with an
/// exponent, or none, or a backslash. What is inside of strings may look alike.
pub(super) const ODD_PART_HINT: &str =
    r"(?:^|[\[:,])\s*(?=[-0-9])(?!-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\s*(?:[,}\]]|$))|\\";

/// A condition that holds for every valid document of ASCII in which [`ODD_PART_HINT`] finds one, and needs no
/// expression: it has a backslash, a digit or a point before an exponent, or a point or sign without a digit after it.
/// `document` is in lower case, with a comma after it.
pub(super) fn may_have_odd_part(document: &str) -> String {
    let has = |sign: &str| format!("LOCATE({}, {document})", super::quote::text(sign));
    let any = |signs: Vec<String>| {
        let found: Vec<String> = signs.iter().map(|sign| has(sign)).collect();
        found.join(" OR ")
    };
    let exponents = ".0123456789".chars().map(|digit| format!("{digit}e"));
    let ended = |by: &str| {
        let ends = ",]} \t\n\r".chars().map(|end| format!("{by}{end}"));
        format!("({} AND ({}))", has(by), any(ends.collect()))
    };
    [has("\\"), any(exponents.collect()), ended("."), ended("-")].join(" OR ")
}

/// A document as JSON, as text where it is none.
fn document(text: &str, fine: &str) -> String {
    format!(
        "IF(JSON_VALID({text}) AND JSON_DEPTH({text}) <= {DEPTH}{fine}, {text}, JSON_QUOTE({text}))"
    )
}

/// A TIMESTAMP in UTC, without a detour by the session's zone.
fn utc(column: &str) -> String {
    format!("DATE_ADD('1970-01-01 00:00:00', INTERVAL UNIX_TIMESTAMP({column}) SECOND)")
}
