//! Who does it, as the transaction has told.

use sea_orm_audit_core::limits;
use sea_orm_audit_core::trigger::TriggerPlan;

use super::json::document;
use super::sql::name;

/// The fields of the context, each with its column's bound; 0 is none.
const FIELDS: [(&str, u32); 12] = [
    ("actor_type", limits::WORD),
    ("actor_id", limits::NAME),
    ("actor_name", limits::NAME),
    ("impersonator_id", limits::NAME),
    ("ip_address", limits::ADDRESS),
    ("user_agent", 0),
    ("session_key", limits::DIGEST),
    ("request_id", limits::NAME),
    ("trace_id", limits::NAME),
    ("tenant", limits::NAME),
    ("reason", 0),
    ("module", limits::NAME),
];

/// A row, or none, with the fields of the context, `metadata` and `transaction_id`. What is not of
/// the right type is NULL.
pub(super) fn context(plan: &TriggerPlan) -> String {
    let fields: Vec<String> = (FIELDS.iter())
        .map(|(field, bound)| {
            let value = format!("json_extract(j, '$.{field}')");
            let value = match bound {
                0 => format!("CAST({value} AS TEXT)"),
                bound => format!("substr({value}, 1, {bound})"),
            };
            format!(
                "CASE WHEN json_type(j, '$.{field}') IN ('text', 'integer') THEN {value} END AS {field}"
            )
        })
        .collect();
    let document = document("context");
    format!(
        "SELECT {fields}, CASE json_type(j, '$.metadata') WHEN 'object' THEN \
         json_extract(j, '$.metadata') END AS metadata, transaction_id FROM \
         (SELECT CASE WHEN typeof(context) = 'text' THEN coalesce({document}, '{{}}') ELSE '{{}}' END \
         AS j, CASE WHEN typeof(transaction_id) = 'blob' AND length(transaction_id) = 16 \
         THEN transaction_id END AS transaction_id FROM {table} WHERE id = 1 LIMIT 1) LIMIT 1",
        fields = fields.join(", "),
        table = name(plan.tables.trigger_context()),
    )
}
