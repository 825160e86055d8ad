//! Times, from the texts that sqlx writes to the canonical ones.
//!
//! Each expression is NULL for a text of another form.

const DAY: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
const CLOCK: &str = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]";

/// The fraction of a second, from `""` or `.5`: six digits, or nine where six are not enough.
fn fraction(tail: &str) -> String {
    format!(
        "CASE WHEN {tail} = '' THEN '.000000' \
         WHEN length({tail}) BETWEEN 2 AND 10 AND {tail} GLOB '.[0-9]*' \
         AND substr({tail}, 2) NOT GLOB '*[^0-9]*' \
         THEN substr({tail} || '000000', 1, 7) || \
         CASE substr(substr({tail} || '000000000', 1, 10), 8) WHEN '000' THEN '' \
         ELSE substr(substr({tail} || '000000000', 1, 10), 8) END END"
    )
}

/// A time of day.
pub(super) fn clock(v: &str) -> String {
    let fraction = fraction(&format!("substr({v}, 9)"));
    format!(
        "CASE WHEN {v} GLOB '{CLOCK}*' THEN '\"' || substr({v}, 1, 8) || {fraction} || '\"' END"
    )
}

/// A date-time without a zone.
pub(super) fn naive(v: &str) -> String {
    let fraction = fraction(&format!("substr({v}, 20)"));
    format!(
        "CASE WHEN {v} GLOB '{DAY}[ T]{CLOCK}*' THEN \
         '\"' || substr({v}, 1, 10) || 'T' || substr({v}, 12, 8) || {fraction} || '\"' END"
    )
}

/// A date-time with a zone, or in UTC without one, as sqlx reads it.
///
/// SQLite's own functions support milliseconds only: they move the whole seconds, and the fraction stays as it is.
pub(super) fn zoned(v: &str) -> String {
    let fraction = fraction("substr(b, 20)");
    format!(
        "(WITH zone AS (SELECT CASE WHEN {v} GLOB '*Z' THEN 'Z' \
         WHEN {v} GLOB '*[+-][0-9][0-9]:[0-9][0-9]' THEN substr({v}, -6) ELSE '' END AS z), \
         parts AS (SELECT substr({v}, 1, length({v}) - length(z)) AS b, z FROM zone LIMIT 1), \
         utc AS (SELECT b, CASE WHEN z IN ('', 'Z', '+00:00', '-00:00') \
         THEN substr(b, 1, 10) || 'T' || substr(b, 12, 8) \
         WHEN b > '0001' THEN strftime('%Y-%m-%dT%H:%M:%S', substr(b, 1, 19), \
         CASE substr(z, 1, 1) WHEN '-' THEN '+' ELSE '-' END || substr(z, 2)) END AS s \
         FROM parts WHERE b GLOB '{DAY}[ T]{CLOCK}*' LIMIT 1) \
         SELECT '\"' || s || {fraction} || 'Z\"' FROM utc)"
    )
}
