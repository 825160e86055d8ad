//! The INSERT of a record, and what the transaction's context adds to it.

use sea_orm_audit_core::{Tables, limits};

use super::subject::{Subject, fit};
use super::{quote, variable};

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

/// A text of the context; nothing where it is empty.
fn said(name: &str, limit: u32) -> String {
    let context = variable::CONTEXT;
    format!("NULLIF(LEFT(JSON_VALUE({context}, '$.{name}'), {limit}), '')")
}

/// A text of the context of any length, for which MySQL's `JSON_VALUE` is too short.
fn said_at_length(name: &str) -> String {
    let value = format!("JSON_EXTRACT({}, '$.{name}')", variable::CONTEXT);
    format!("IF(JSON_TYPE({value}) = 'STRING', JSON_UNQUOTE({value}), NULL)")
}

/// What is said in a context, and what takes its place where it is silent.
struct Said {
    /// The columns from `actor_type` to `transaction_id`.
    who: [String; 10],
    tenant: String,
    reason: String,
    module: String,
    metadata: String,
}

/// Who signed in, without the host. (The current user of a trigger is its definer.)
const USER: &str =
    "LEFT(USER(), CHAR_LENGTH(USER()) - CHAR_LENGTH(SUBSTRING_INDEX(USER(), '@', -1)) - 1)";

impl Said {
    /// Where there is no context.
    fn nothing() -> Self {
        let null = || "NULL".to_owned();
        let mut who: [String; 10] = std::array::from_fn(|_| null());
        "'SERVICE'".clone_into(&mut who[0]);
        USER.clone_into(&mut who[2]);
        Self {
            who,
            tenant: null(),
            reason: null(),
            module: null(),
            metadata: variable::NOTE.to_owned(),
        }
    }

    fn in_context() -> Self {
        let (kind, id, name) = (
            said("actor_type", limits::WORD),
            said("actor_id", limits::NAME),
            said("actor_name", limits::NAME),
        );
        // What is no hexadecimal digit makes it NULL.
        let transaction = said("transaction_id", 36);
        let transaction = format!("UNHEX(REPLACE({transaction}, '-', ''))");
        let metadata = format!("JSON_EXTRACT({}, '$.metadata')", variable::CONTEXT);
        let metadata =
            format!("IF(JSON_TYPE({metadata}) = 'OBJECT', NULLIF({metadata}, '{{}}'), NULL)");
        let note = variable::NOTE;
        Self {
            who: [
                format!("COALESCE({kind}, IF({id} IS NULL, 'SERVICE', 'USER'))"),
                id.clone(),
                format!("COALESCE({name}, IF({kind} IS NULL AND {id} IS NULL, {USER}, NULL))"),
                said("impersonator_id", limits::NAME),
                said("ip_address", limits::ADDRESS),
                said_at_length("user_agent"),
                said("session_key", limits::DIGEST),
                said("request_id", limits::NAME),
                said("trace_id", limits::NAME),
                format!("IF(LENGTH({transaction}) = 16, {transaction}, NULL)"),
            ],
            tenant: said("tenant", limits::NAME),
            reason: said_at_length("reason"),
            module: said("module", limits::NAME),
            metadata: format!(
                "IF({note} IS NULL, {metadata}, JSON_MERGE_PATCH(IFNULL({metadata}, '{{}}'), {note}))"
            ),
        }
    }
}

/// The values of the record, with or without a context.
pub(super) fn values(subject: &Subject<'_>, parts: &Parts<'_>, in_context: bool) -> String {
    let plan = subject.plan;
    let bounded = |text: &str, limit: usize| {
        if text.chars().count() > limit {
            fit(&quote::text(text), limit)
        } else {
            quote::text(text)
        }
    };
    let said = if in_context {
        Said::in_context()
    } else {
        Said::nothing()
    };
    let mut values = vec![
        "UTC_TIMESTAMP(6)".to_owned(),
        quote::text(parts.action),
        "'SUCCESS'".to_owned(),
        bounded(&plan.model, limits::MODEL as usize),
        parts.object_id.to_owned(),
        parts.label.to_owned(),
        format!("CONCAT('{{', SUBSTRING({}, 2), '}}')", parts.changes),
    ];
    values.extend(said.who);
    values.extend([
        match parts.tenant {
            Some(own) => format!("COALESCE({own}, {})", said.tenant),
            None => said.tenant,
        },
        said.reason,
        match plan.module {
            Some(module) => bounded(module, limits::NAME as usize),
            None => said.module,
        },
        "'TRIGGER'".to_owned(),
        said.metadata,
    ]);
    values.join(", ")
}

/// Reads the context of the transaction. `SELECT .. INTO` locks nothing, `SET` of a subquery would; MAX makes
/// one row of none.
pub(super) fn read_context(table: &str) -> String {
    format!(
        "BEGIN\n\
         DECLARE CONTINUE HANDLER FOR 1146 BEGIN END;\n\
         SELECT MAX({}.`context`) INTO {} FROM {table} WHERE `connection_id` = CONNECTION_ID();\n\
         END;",
        table,
        variable::CONTEXT,
    )
}

/// Declares variables of long text.
pub(super) fn declare(names: &[&str]) -> String {
    format!(
        "DECLARE {} LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
        names.join(", ")
    )
}

/// Declares what tells secrets' keys, where there are documents.
pub(super) fn declare_secrets(pattern: Option<&str>) -> String {
    pattern.map_or_else(String::new, |pattern| {
        format!(
            "DECLARE {} LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT {};\n",
            variable::SECRETS,
            quote::text(pattern)
        )
    })
}
