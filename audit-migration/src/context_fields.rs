//! How MySQL and MariaDB extract the fields of a trigger's context from its JSON.

use sea_orm_audit_core::limits;

/// A field of the context.
pub(crate) struct ContextField {
    pub(crate) name: &'static str,
    /// The type of a column that holds it.
    pub(crate) kind: String,
    /// Its value; NULL where the document has none of its type. No document makes it fail.
    pub(crate) expression: String,
}

/// The fields of a context, in the order of the log's columns; `document` is an expression of valid JSON.
pub(crate) fn of(document: &str) -> [ContextField; 14] {
    let text = |name: &'static str, limit: u32| {
        let value = format!("JSON_VALUE({document}, '$.{name}')");
        ContextField {
            name,
            kind: format!("VARCHAR({limit})"),
            // Not `= ''`, which text of blanks is, too.
            expression: format!("IF(LENGTH({value}) = 0, NULL, LEFT({value}, {limit}))"),
        }
    };
    // `JSON_VALUE` of MySQL has 512 characters.
    let long = |name: &'static str| {
        let value = format!("JSON_EXTRACT({document}, '$.{name}')");
        ContextField {
            name,
            kind: "MEDIUMTEXT".to_owned(),
            expression: format!("IF(JSON_TYPE({value}) = 'STRING', JSON_UNQUOTE({value}), NULL)"),
        }
    };
    let uuid =
        format!("UNHEX(REPLACE(LEFT(JSON_VALUE({document}, '$.transaction_id'), 36), '-', ''))");
    let metadata = format!("JSON_EXTRACT({document}, '$.metadata')");
    [
        text("actor_type", limits::WORD),
        text("actor_id", limits::NAME),
        text("actor_name", limits::NAME),
        text("impersonator_id", limits::NAME),
        text("ip_address", limits::ADDRESS),
        long("user_agent"),
        text("session_key", limits::DIGEST),
        text("request_id", limits::NAME),
        text("trace_id", limits::NAME),
        ContextField {
            name: "transaction_id",
            kind: "VARBINARY(16)".to_owned(),
            expression: format!("IF(LENGTH({uuid}) = 16, {uuid}, NULL)"),
        },
        text("tenant", limits::NAME),
        long("reason"),
        text("module", limits::NAME),
        ContextField {
            name: "metadata",
            kind: "MEDIUMTEXT".to_owned(),
            expression: format!(
                "IF(JSON_TYPE({metadata}) = 'OBJECT' AND JSON_LENGTH({metadata}) > 0, \
                 {metadata}, NULL)"
            ),
        },
    ]
}
