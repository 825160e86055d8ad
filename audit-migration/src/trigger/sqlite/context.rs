//! The context that the transaction has set.

use sea_orm_audit_core::limits;
use sea_orm_audit_core::trigger_plan::TriggerPlan;

use super::json::document;
use super::sql::name;

/// The context, a JSON object, and the transaction's id, both NULL where none is set or it is malformed.
pub(super) fn context(plan: &TriggerPlan) -> (String, String) {
    let table = name(plan.tables.trigger_context());
    let document = document("context");
    (
        format!(
            "(SELECT CASE json_type(o) WHEN 'object' THEN o END FROM (SELECT CASE typeof(context) \
             WHEN 'text' THEN {document} END AS o FROM {table} WHERE id = 1 LIMIT 1) WHERE o <> '')"
        ),
        format!(
            "(SELECT CASE WHEN typeof(transaction_id) = 'blob' AND length(transaction_id) = 16 \
             THEN transaction_id END FROM {table} WHERE id = 1)"
        ),
    )
}

/// A field of the context `j`, no longer than its column; NULL where it is neither text nor a number.
pub(super) fn field(field: &str) -> String {
    let value = format!("json_extract(j, '$.{field}')");
    let value = match bound(field) {
        Some(bound) => format!("substr({value}, 1, {bound})"),
        None => format!("CAST({value} AS TEXT)"),
    };
    format!("CASE WHEN json_type(j, '$.{field}') IN ('text', 'integer') THEN {value} END")
}

/// The characters that a field's column holds, where that is bounded.
fn bound(field: &str) -> Option<u32> {
    match field {
        "actor_type" => Some(limits::WORD),
        "ip_address" => Some(limits::ADDRESS),
        "session_key" => Some(limits::DIGEST),
        "user_agent" | "reason" => None,
        _ => Some(limits::NAME),
    }
}

/// The application-defined values in the context `j`.
pub(super) fn metadata() -> String {
    "CASE json_type(j, '$.metadata') WHEN 'object' THEN json_extract(j, '$.metadata') END"
        .to_owned()
}
