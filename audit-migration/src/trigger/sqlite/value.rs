//! Values of columns as canonical JSON text.
//!
//! SQLite lets any type into any column. What does not look as the column's type should is kept as
//! it is: a number, a text, or `{"hex": ".."}` for bytes where bytes do not belong.

use super::column_form::Kind;
use super::json::{document, not_utf_8};
use super::timestamp;

/// The canonical JSON text of `v`, whose kind `kind` is among `kinds`.
///
/// `kind` is an expression as well, so that a value list of all columns needs this only once.
pub(super) fn canonical(kinds: &[Kind], kind: &str, v: &str) -> String {
    let choose = |cases: &[(Kind, String)]| {
        let cases: Vec<String> = (cases.iter())
            .filter(|(known, _)| kinds.contains(known))
            .map(|(known, value)| format!("WHEN {} THEN {value}", known.number()))
            .collect();
        if cases.is_empty() {
            return "CASE WHEN 1 THEN NULL".to_owned();
        }
        format!("CASE {kind} {}", cases.join(" "))
    };
    let quoted = |text: &str| format!("'\"' || {text} || '\"'");
    let hex = quoted(&format!("lower(hex({v}))"));
    let integer = choose(&[
        (
            Kind::Bool,
            format!("CASE {v} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END"),
        ),
        (Kind::Text, quoted(v)),
        (Kind::Float, float(&format!("({v} + 0.0)"))),
        (Kind::Decimal, quoted(v)),
        (Kind::BigDecimal, quoted(v)),
    ]);
    let real = choose(&[(Kind::Decimal, decimal(v))]);
    let blob = choose(&[
        (Kind::Bytes, hex.clone()),
        (Kind::Uuid, uuid(v)),
        (Kind::Json, document(&format!("CAST({v} AS TEXT)"))),
    ]);
    let text = choose(&[
        (Kind::Decimal, plain(v)),
        (Kind::BigDecimal, plain(v)),
        (Kind::Bytes, hex),
        (Kind::Uuid, uuid_text(v)),
        (Kind::Json, document(v)),
        (Kind::Clock, timestamp::clock(v)),
        (Kind::Naive, timestamp::naive(v)),
        (Kind::Zoned, timestamp::zoned(v)),
    ]);
    let not_utf_8 = not_utf_8(v);
    format!(
        "CASE typeof({v}) WHEN 'null' THEN 'null' \
         WHEN 'integer' THEN coalesce({integer} END, CASE WHEN {v} BETWEEN -9007199254740991 AND \
         9007199254740991 THEN {v} ELSE '\"' || {v} || '\"' END) \
         WHEN 'real' THEN coalesce({real} END, {float}) \
         WHEN 'blob' THEN coalesce({blob} END, '{{\"hex\":\"' || lower(hex({v})) || '\"}}') \
         ELSE coalesce({text} END, CASE WHEN {not_utf_8} THEN '{{\"hex\":\"' || lower(hex({v})) \
         || '\"}}' ELSE json_quote({v}) END) END",
        float = float(v),
    )
}

/// A double in as many digits as distinguish it from all others; older versions of SQLite need twenty for a few near
/// the limits.
fn float(v: &str) -> String {
    let digits = |digits: u8| format!("printf('%!.{digits}g', {v})");
    format!(
        "CASE {v} WHEN 9e999 THEN '\"Infinity\"' WHEN -9e999 THEN '\"-Infinity\"' WHEN 0 THEN '0.0' \
         WHEN CAST({a} AS REAL) THEN {a} WHEN CAST({b} AS REAL) THEN {b} \
         WHEN CAST({c} AS REAL) THEN {c} ELSE {d} END",
        a = digits(15),
        b = digits(16),
        c = digits(17),
        d = digits(20),
    )
}

/// A REAL as a decimal, where fifteen digits are all that it has; else NULL, and it stays a number.
fn decimal(v: &str) -> String {
    format!(
        "(SELECT '\"' || CASE WHEN instr(d, '.') THEN rtrim(rtrim(d, '0'), '.') ELSE d END || '\"' \
         FROM (SELECT CASE WHEN {v} = 0 THEN '0' WHEN abs({v}) >= 1e15 THEN printf('%.0f', {v}) \
         WHEN abs({v}) < 1e-4 THEN printf('%.18f', {v}) ELSE printf('%.15g', {v}) END AS d) \
         WHERE CAST(d AS REAL) = {v} AND d NOT GLOB '*[^0-9.-]*')"
    )
}

/// A decimal that is kept as text.
fn plain(v: &str) -> String {
    format!(
        "CASE WHEN {v} GLOB '*[0-9]*' AND {v} NOT GLOB '*[^0-9.-]*' THEN '\"' || \
         CASE WHEN instr({v}, '.') THEN rtrim(rtrim({v}, '0'), '.') ELSE {v} END || '\"' END"
    )
}

fn uuid(v: &str) -> String {
    format!(
        "CASE WHEN length({v}) = 16 THEN (SELECT '\"' || substr(h, 1, 8) || '-' || substr(h, 9, 4) \
         || '-' || substr(h, 13, 4) || '-' || substr(h, 17, 4) || '-' || substr(h, 21) || '\"' \
         FROM (SELECT lower(hex({v})) AS h LIMIT 1) WHERE h <> '') END"
    )
}

fn uuid_text(v: &str) -> String {
    format!(
        "CASE WHEN length({v}) = 36 AND length(replace({v}, '-', '')) = 32 \
         AND {v} NOT GLOB '*[^-0-9A-Fa-f]*' THEN '\"' || lower({v}) || '\"' END"
    )
}

/// The text that a canonical JSON text represents, without the quotes of JSON; `nul` in place of NUL, which SQLite's
/// JSON functions treat as the end.
pub(super) fn unquoted(q: &str, nul: char) -> String {
    format!(
        "CASE WHEN {q} NOT GLOB '\"*' THEN {q} WHEN instr({q}, '\\u0000') THEN \
         json_extract(replace(replace(replace({q}, '\\\\', char(1)), '\\u0000', '{nul}'), \
         char(1), '\\\\'), '$') ELSE json_extract({q}, '$') END"
    )
}
