//! The INSERT of a record, and what the transaction's context adds to it.

use sea_orm_audit_core::trigger_plan::{CONTEXT_VARIABLE, TriggerPlan};
use sea_orm_audit_core::{Tables, limits};

use sea_orm_migration::sea_orm::JsonValue;

use super::table_sql::{Subject, fit};
use super::{quote, variable};
use crate::context_fields;

/// What is different from record to record; all of it expressions.
pub(super) struct Parts<'a> {
    pub(super) action: &'a str,
    pub(super) object_id: &'a str,
    pub(super) label: &'a str,
    pub(super) changes: &'a str,
    pub(super) tenant: Option<&'a str>,
}

const COLUMNS: [&str; 22] = [
    "occurred_at",
    "action",
    "outcome",
    "model",
    "object_id",
    "object_repr",
    "changes",
    "actor_type",
    "actor_id",
    "actor_name",
    "impersonator_id",
    "ip_address",
    "user_agent",
    "session_key",
    "request_id",
    "trace_id",
    "transaction_id",
    "tenant",
    "reason",
    "module",
    "source",
    "metadata",
];

/// Where the audit tables are, seen from a table's triggers: names without a schema mean the trigger's.
pub(super) fn audit_table(tables: Tables, own: &str, subject: &Subject<'_>, table: &str) -> String {
    let schema = match tables.schema() {
        Some(schema) => Some(schema),
        None if subject.table.schema == own => None,
        None => Some(own),
    };
    quote::qualified(schema, table)
}

/// `INSERT INTO audit_log (..)`
pub(super) fn insert(log: &str) -> String {
    let columns: Vec<_> = COLUMNS.iter().map(|column| quote::name(column)).collect();
    format!("INSERT INTO {log} ({})", columns.join(", "))
}

/// The fields of a context, and the types of their variables.
const SAID: [(&str, &str); 14] = [
    ("actor_type", SHORT),
    ("actor_id", SHORT),
    ("actor_name", SHORT),
    ("impersonator_id", SHORT),
    ("ip_address", SHORT),
    ("user_agent", LONG),
    ("session_key", SHORT),
    ("request_id", SHORT),
    ("trace_id", SHORT),
    ("transaction_id", "VARBINARY(16)"),
    ("tenant", SHORT),
    ("reason", LONG),
    ("module", SHORT),
    ("metadata", LONG),
];

const SHORT: &str = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const LONG: &str = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// The variable of a field of the context.
fn said(name: &str) -> String {
    format!("sea_orm_audit_context_{name}")
}

/// The action of a record, from its changes.
fn action(plan: &TriggerPlan, parts: &Parts<'_>) -> String {
    let action = quote::text(parts.action);
    let ("UPDATE", Some((mark, is_bool))) = (parts.action, plan.deletion_mark()) else {
        return action;
    };
    let changes = format!("CONCAT('{{', SUBSTRING({}, 2), '}}')", parts.changes);
    let path = |side: &str| quote::text(&format!("$.{}.{side}", JsonValue::from(mark)));
    let side = |side: &str| {
        let value = format!("JSON_UNQUOTE(JSON_EXTRACT({changes}, {}))", path(side));
        let value = format!("NULLIF({value}, 'null')");
        if is_bool {
            format!("NULLIF({value}, 'false')")
        } else {
            value
        }
    };
    let (old, new) = (side("old"), side("new"));
    format!(
        "CASE WHEN {old} IS NULL AND {new} IS NOT NULL THEN 'SOFT_DELETE' \
         WHEN {old} IS NOT NULL AND {new} IS NULL THEN 'RESTORE' ELSE {action} END"
    )
}

/// The values of the record.
pub(super) fn values(subject: &Subject<'_>, parts: &Parts<'_>) -> String {
    let plan = subject.plan;
    let bounded = |text: &str, limit: usize| {
        if text.chars().count() > limit {
            fit(&quote::text(text), limit)
        } else {
            quote::text(text)
        }
    };
    let (kind, id, name) = (said("actor_type"), said("actor_id"), said("actor_name"));
    // The definer is another user: the name in front of the host is who signed in.
    let user =
        "LEFT(USER(), CHAR_LENGTH(USER()) - CHAR_LENGTH(SUBSTRING_INDEX(USER(), '@', -1)) - 1)";
    let (note, metadata) = (variable::NOTE, said("metadata"));
    let tenant = said("tenant");
    let values = [
        "UTC_TIMESTAMP(6)".to_owned(),
        action(plan, parts),
        "'SUCCESS'".to_owned(),
        bounded(&plan.model, limits::MODEL as usize),
        parts.object_id.to_owned(),
        parts.label.to_owned(),
        format!("CONCAT('{{', SUBSTRING({}, 2), '}}')", parts.changes),
        format!(
            "IF({kind} IN ('USER', 'SERVICE', 'SYSTEM', 'ANONYMOUS', 'UNKNOWN'), {kind}, \
             IF({id} IS NULL, 'SERVICE', 'USER'))"
        ),
        id.clone(),
        format!("IF({name} IS NULL AND {kind} IS NULL AND {id} IS NULL, {user}, {name})"),
        said("impersonator_id"),
        said("ip_address"),
        said("user_agent"),
        said("session_key"),
        said("request_id"),
        said("trace_id"),
        said("transaction_id"),
        match parts.tenant {
            Some(own) => format!("IFNULL({own}, {tenant})"),
            None => tenant,
        },
        said("reason"),
        match plan.module {
            Some(module) => bounded(module, limits::NAME as usize),
            None => said("module"),
        },
        "'TRIGGER'".to_owned(),
        format!(
            "IF({note} IS NULL, {metadata}, JSON_MERGE_PATCH(IFNULL({metadata}, '{{}}'), {note}))",
        ),
    ];
    values.join(", ")
}

/// Declares the variables that take the context.
pub(super) fn declare_context() -> String {
    let declare = [SHORT, "VARBINARY(16)", LONG].map(|kind| {
        let names = SAID.iter().filter(|(_, of)| *of == kind);
        let names: Vec<_> = names.map(|(name, _)| said(name)).collect();
        format!("DECLARE {} {kind};\n", names.join(", "))
    });
    declare.concat() + &format!("DECLARE {} {LONG};\n", variable::SESSION)
}

/// Reads the context of the transaction, else that of the connection, where there is one. `SELECT .. INTO` locks
/// nothing; `SET` of a subquery would, also where there is no row.
pub(super) fn read_context(table: &str) -> String {
    let names = SAID
        .iter()
        .map(|(name, _)| format!("c.{}", quote::name(name)));
    let variables = SAID.iter().map(|(name, _)| said(name));
    let metadata = said("metadata");
    let session = variable::SESSION;
    let fields = context_fields::of(session)
        .map(|field| format!("{} = {}", said(field.name), field.expression));
    format!(
        "BEGIN\n\
         DECLARE CONTINUE HANDLER FOR NOT FOUND, 1054, 1146 \
         SET {session} = CONVERT({CONTEXT_VARIABLE} USING utf8mb4);\n\
         SELECT {} INTO {} FROM {table} c WHERE c.`connection_id` = CONNECTION_ID();\n\
         END;\n\
         IF JSON_VALID({session}) THEN\n\
         SET {};\n\
         END IF;\n\
         IF {metadata} IS NOT NULL THEN\n\
         SET {metadata} = IF({odd}, NULL, {metadata});\n\
         END IF;",
        names.collect::<Vec<_>>().join(", "),
        variables.collect::<Vec<_>>().join(", "),
        fields.join(",\n"),
        odd = super::value::has_odd_part(&metadata),
    )
}

/// Declares variables of long text.
pub(super) fn declare(names: &[&str]) -> String {
    format!("DECLARE {} {LONG};", names.join(", "))
}

/// Declares the variables that take what a quick look at a document needs.
pub(super) fn declare_doubt() -> String {
    let (document, doubt) = (variable::DOCUMENT, variable::DOUBT);
    format!("DECLARE {document} LONGBLOB;\nDECLARE {doubt} BOOLEAN;\n")
}

/// Sets the pattern of secrets' keys, where there are documents.
pub(super) fn set_secrets(pattern: Option<&str>) -> String {
    pattern.map_or_else(String::new, |pattern| {
        format!("SET {} = {};\n", variable::SECRETS, quote::text(pattern))
    })
}
