//! The record of a changed row: one INSERT.

use sea_orm_audit_core::trigger::{TriggerPlan, TriggerTreatment};
use sea_orm_migration::sea_orm::JsonValue;

use super::context::context;
use super::json::same;
use super::kind::Kind;
use super::label::{cut, harmless, key, label, tenant};
use super::secret::has_secret;
use super::sql::{name, text};
use super::value::{canonical, unquoted};

/// What a trigger reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Insert,
    Update,
    Delete,
}

impl Event {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Insert => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The row whose key is recorded. A changed key is recorded under the old one.
    const fn keyed(self) -> &'static str {
        match self {
            Self::Insert => "NEW",
            Self::Update | Self::Delete => "OLD",
        }
    }

    /// The row that shows the object.
    const fn shown(self) -> &'static str {
        match self {
            Self::Insert | Self::Update => "NEW",
            Self::Delete => "OLD",
        }
    }
}

/// The INSERT of a trigger.
pub(super) fn record(plan: &TriggerPlan, event: Event) -> String {
    let tenant = tenant(plan, event.shown()).map_or_else(
        || "c.tenant".to_owned(),
        |tenant| format!("coalesce({tenant}, c.tenant)"),
    );
    let module = plan.module.map_or_else(|| "c.module".to_owned(), text);
    let known = "c.actor_type IN ('USER', 'SERVICE', 'SYSTEM', 'ANONYMOUS', 'UNKNOWN')";
    let values = [
        // As sqlx writes a time in UTC, so that times are equal and in order as text.
        (
            "occurred_at",
            "replace(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '+00:00', '.000+', '+')".to_owned(),
        ),
        ("action", text(event.action())),
        ("outcome", "'SUCCESS'".to_owned()),
        ("model", text(&plan.model)),
        ("object_id", unquoted("r.q", '\u{FFFD}')),
        ("object_repr", harmless("r.l")),
        ("changes", "d.changes".to_owned()),
        (
            "actor_type",
            format!(
                "CASE WHEN {known} THEN c.actor_type WHEN c.actor_id IS NOT NULL THEN 'USER' \
                 ELSE 'SERVICE' END"
            ),
        ),
        ("actor_id", "c.actor_id".to_owned()),
        // SQLite has no users.
        (
            "actor_name",
            format!(
                "CASE WHEN {known} OR c.actor_id IS NOT NULL THEN c.actor_name \
                 ELSE coalesce(c.actor_name, 'sqlite') END"
            ),
        ),
        ("impersonator_id", "c.impersonator_id".to_owned()),
        ("ip_address", "c.ip_address".to_owned()),
        ("user_agent", "c.user_agent".to_owned()),
        ("session_key", "c.session_key".to_owned()),
        ("request_id", "c.request_id".to_owned()),
        ("trace_id", "c.trace_id".to_owned()),
        ("transaction_id", "c.transaction_id".to_owned()),
        ("tenant", tenant),
        ("reason", "c.reason".to_owned()),
        ("module", module),
        ("source", "'TRIGGER'".to_owned()),
        ("metadata", "c.metadata".to_owned()),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    let changes = changes(plan, event);
    let label = label(plan, event.shown(), "q");
    let key = key(plan, event.keyed());
    // A LIMIT keeps SQLite from working an expression out once for every mention of it.
    format!(
        "INSERT INTO {log} ({columns}) SELECT {values} FROM \
         (SELECT ({changes}) AS changes LIMIT 1) AS d CROSS JOIN \
         (WITH k AS (SELECT {key} AS q LIMIT 1), l AS (SELECT q, {label} AS l FROM k LIMIT 1) \
         SELECT q, {cut} AS l FROM l LIMIT 1) AS r LEFT JOIN ({context}) AS c ON 1 WHERE d.changes IS NOT NULL;",
        log = name(plan.tables.log()),
        columns = columns.join(", "),
        values = values.join(", "),
        cut = cut("l"),
        context = context(plan),
    )
}

/// How a column is treated, beside its kind.
const RECORD: u8 = 0;
const REDACT: u8 = 1;

/// The changes of a row, as a query of one value; NULL where an UPDATE changes nothing.
fn changes(plan: &TriggerPlan, event: Event) -> String {
    let mut kinds = Vec::new();
    let mut scanned = false;
    let mut columns = Vec::new();
    for column in &plan.columns {
        let kind = Kind::of(&column.shape);
        let treatment = match column.treatment {
            TriggerTreatment::Leave => continue,
            TriggerTreatment::Redact => REDACT,
            TriggerTreatment::Plain | TriggerTreatment::Record => RECORD,
        };
        let scan = kind == Kind::Json && column.treatment == TriggerTreatment::Record;
        scanned |= scan;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        let field = text(&format!("{}:", JsonValue::from(column.name)));
        let quoted = name(column.name);
        // The sign does nothing; without it SQLite names the list's columns after the first row.
        let row = match event {
            _ if treatment == REDACT && event != Event::Update => "NULL".to_owned(),
            Event::Insert => format!("+NEW.{quoted}"),
            Event::Delete => format!("+OLD.{quoted}"),
            Event::Update => format!("+OLD.{quoted}, +NEW.{quoted}"),
        };
        columns.push(format!(
            "({field}, {}, {treatment}, {}, {row})",
            kind.number(),
            u8::from(scan)
        ));
    }
    if columns.is_empty() {
        return match event {
            Event::Update => "NULL".to_owned(),
            _ => "'{}'".to_owned(),
        };
    }
    let columns = columns.join(", ");
    let redacted = "'{\"redacted\":true}'";
    let secret = |doc: &str| {
        let found = format!(
            "WHEN column4 AND {} THEN {redacted} ",
            has_secret(&plan.secrets, doc)
        );
        if scanned { found } else { String::new() }
    };
    if event != Event::Update {
        let word = if event == Event::Insert { "new" } else { "old" };
        let value = canonical(&kinds, "column2", "column5");
        let secret = secret("v");
        return format!(
            "SELECT '{{' || group_concat(column1 || CASE WHEN column3 = {REDACT} THEN {redacted} \
             {secret}ELSE '{{\"{word}\":' || v || '}}' END) || '}}' FROM \
             (SELECT column1, column3, column4, {value} AS v \
             FROM (VALUES {columns}) LIMIT -1)"
        );
    }
    let old = canonical(&kinds, "column2", "column5");
    let new = canonical(&kinds, "column2", "column6");
    let (old_secret, new_secret) = (secret("o"), secret("n"));
    let mut differs = "o <> n".to_owned();
    if kinds.contains(&Kind::Json) {
        let (json, same) = (Kind::Json.number(), same("o", "n"));
        differs = format!("o <> n AND NOT (column2 = {json} AND {same})");
    }
    // Whatever collation a column has, its values are compared byte by byte.
    format!(
        "SELECT '{{' || group_concat(column1 || CASE WHEN column3 = {REDACT} THEN {redacted} \
         {old_secret}{new_secret}ELSE '{{\"old\":' || o || ',\"new\":' || n || '}}' END) || '}}' FROM \
         (SELECT column1, column2, column3, column4, {old} AS o, {new} AS n FROM (VALUES {columns}) \
         WHERE column5 COLLATE BINARY IS NOT column6 COLLATE BINARY LIMIT -1) WHERE {differs}"
    )
}
