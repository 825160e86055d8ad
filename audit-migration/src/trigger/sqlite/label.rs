//! The object id, the label and the tenant of a row.

use sea_orm_audit_core::limits;
use sea_orm_audit_core::trigger_plan::{LabelPart, TriggerColumn, TriggerPlan, TriggerTreatment};

use super::column_form::Kind;
use super::secret::has_secret;
use super::sql::{joined, name, text};
use super::value::{canonical, unquoted};

/// Replaces a secret in text.
const REDACTED: &str = "[redacted]";

/// The value has a name of its own, so that the row's column is where RENAME COLUMN finds it.
fn json_of(column: &TriggerColumn, row: &str) -> String {
    let kind = Kind::of(&column.shape);
    let value = canonical(&[kind], &kind.number().to_string(), "v");
    format!(
        "(SELECT {value} FROM (SELECT {row}.{} AS v LIMIT 1))",
        name(column.name)
    )
}

/// The JSON text of a row's key: of one value, or of an array.
pub(super) fn key(plan: &TriggerPlan, row: &str) -> String {
    let parts: Vec<String> = (plan.key.iter())
        .map(|at| &plan.columns[*at])
        .map(|column| {
            if column.open {
                json_of(column, row)
            } else {
                text(&format!("\"{REDACTED}\""))
            }
        })
        .collect();
    match parts.as_slice() {
        [one] => one.clone(),
        [] => "'[]'".to_owned(),
        many => {
            let mut texts = vec!["'['".to_owned()];
            for (at, part) in many.iter().enumerate() {
                texts.extend((at > 0).then(|| "','".to_owned()));
                texts.push(part.clone());
            }
            texts.push("']'".to_owned());
            joined(&texts, "||")
        }
    }
}

/// The label of a row, not yet cut; `key` is the JSON text of its key.
pub(super) fn label(plan: &TriggerPlan, row: &str, key: &str) -> String {
    if plan.label.is_empty() {
        let begin = text(&format!("{} #", plan.model));
        return format!("{begin} || {}", begin_of(&unquoted(key, '␀')));
    }
    let parts: Vec<String> = (plan.label.iter())
        .map(|part| match part {
            LabelPart::Text(part) => text(part),
            LabelPart::Column(at) => shown(plan, &plan.columns[*at], row),
        })
        .collect();
    joined(&parts, "||")
}

/// As much of a text as a label can show: joining long ones is slow.
fn begin_of(text: &str) -> String {
    format!("substr({text}, 1, {})", limits::REPR + 1)
}

fn shown(plan: &TriggerPlan, column: &TriggerColumn, row: &str) -> String {
    let json = json_of(column, row);
    let part = begin_of(&unquoted("q", '␀'));
    let part =
        if Kind::of(&column.shape) == Kind::Json && column.treatment != TriggerTreatment::Plain {
            let secret = has_secret(&plan.secrets, "q");
            format!("CASE WHEN {secret} THEN '{REDACTED}' ELSE {part} END")
        } else {
            part
        };
    format!(
        "(SELECT CASE q WHEN 'null' THEN '' ELSE {part} END FROM (SELECT {json} AS q LIMIT 1) WHERE q <> '')"
    )
}

/// A label cut to what its column holds.
pub(super) fn cut(label: &str) -> String {
    format!(
        "CASE WHEN length({label}) > {limit} THEN substr({label}, 1, {kept}) || '…' ELSE {label} END",
        limit = limits::REPR,
        kept = limits::REPR - 1,
    )
}

/// A label with its control characters shown as their pictures, and what reorders text or parts
/// lines as U+FFFD; character by character, but only where there is any of these.
pub(super) fn harmless(label: &str) -> String {
    // `*[`, U+0001 to U+001F, U+007F to U+009F, U+2028 to U+202E, U+2066 to U+2069, `]*`.
    let harmful = "char(42, 91, 1, 45, 31, 127, 45, 159, 8232, 45, 8238, 8294, 45, 8297, 93, 42)";
    let (letter, code) = (
        format!("substr({label}, i + 1, 1)"),
        format!("unicode(substr({label}, i + 1, 1))"),
    );
    format!(
        "CASE WHEN {label} GLOB {harmful} THEN (WITH RECURSIVE c(i, t) AS (SELECT 0, '' UNION ALL \
         SELECT i + 1, t || CASE WHEN {code} < 32 THEN char(9216 + {code}) WHEN {code} = 127 THEN '␡' \
         WHEN {code} BETWEEN 128 AND 159 OR {code} BETWEEN 8232 AND 8238 \
         OR {code} BETWEEN 8294 AND 8297 THEN '\u{FFFD}' ELSE {letter} END \
         FROM c WHERE i < length({label})) SELECT t FROM c ORDER BY i DESC LIMIT 1) ELSE {label} END"
    )
}

/// The tenant that a row names, or NULL.
pub(super) fn tenant(plan: &TriggerPlan, row: &str) -> Option<String> {
    let column = &plan.columns[plan.tenant?];
    let json = json_of(column, row);
    let part = unquoted("q", '\u{FFFD}');
    Some(format!(
        "(SELECT CASE q WHEN 'null' THEN NULL ELSE {part} END FROM (SELECT {json} AS q LIMIT 1) WHERE q <> '')"
    ))
}
