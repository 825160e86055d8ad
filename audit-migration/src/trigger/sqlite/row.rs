//! The record of a changed row: one INSERT.

use sea_orm_audit_core::trigger_plan::{TriggerPlan, TriggerTreatment};
use sea_orm_migration::sea_orm::JsonValue;

use super::column_form::Kind;
use super::context::{context, field, metadata};
use super::json::same;
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
        || field("tenant"),
        |tenant| format!("coalesce({tenant}, {})", field("tenant")),
    );
    let module = plan.module.map_or_else(|| field("module"), text);
    let actor_name = field("actor_name");
    let (actor_id, actor_type) = (field("actor_id"), field("actor_type"));
    let known = format!(
        "coalesce({actor_type} IN ('USER', 'SERVICE', 'SYSTEM', 'ANONYMOUS', 'UNKNOWN'), 0)"
    );
    let values = [
        // As sqlx writes a time in UTC, so that times are equal and in order as text.
        (
            "occurred_at",
            "replace(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '+00:00', '.000+', '+')".to_owned(),
        ),
        ("action", action(plan, event)),
        ("outcome", "'SUCCESS'".to_owned()),
        ("model", text(&plan.model)),
        ("object_id", unquoted("q", '\u{FFFD}')),
        ("object_repr", harmless(&cut("l"))),
        ("changes", "changes".to_owned()),
        (
            "actor_type",
            format!(
                "CASE WHEN {known} THEN {actor_type} WHEN {actor_id} IS NOT NULL THEN 'USER' \
                 ELSE 'SERVICE' END"
            ),
        ),
        ("actor_id", actor_id.clone()),
        // SQLite has no users.
        (
            "actor_name",
            format!(
                "CASE WHEN {known} OR {actor_id} IS NOT NULL THEN {actor_name} \
                 ELSE coalesce({actor_name}, 'sqlite') END"
            ),
        ),
        ("impersonator_id", field("impersonator_id")),
        ("ip_address", field("ip_address")),
        ("user_agent", field("user_agent")),
        ("session_key", field("session_key")),
        ("request_id", field("request_id")),
        ("trace_id", field("trace_id")),
        ("transaction_id", "x".to_owned()),
        ("tenant", tenant),
        ("reason", field("reason")),
        ("module", module),
        ("source", "'TRIGGER'".to_owned()),
        ("metadata", metadata()),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    let changes = changes(plan, event);
    let label = label(plan, event.shown(), "q");
    let key = key(plan, event.keyed());
    let (context, transaction_id) = context(plan);
    // Each query reads only the one inside of it: so they are coroutines, where a join would fill a table. A LIMIT
    // inside and a WHERE outside keep SQLite from computing an expression for every mention. None is a WITH, as RENAME
    // COLUMN does not look for columns of the row in there.
    format!(
        "INSERT INTO {log} ({columns}) SELECT {values} FROM \
         (SELECT changes, q, {label} AS l, {context} AS j, {transaction_id} AS x FROM \
         (SELECT ({changes}) AS changes, {key} AS q LIMIT 1) WHERE changes IS NOT NULL LIMIT 1) \
         WHERE changes IS NOT NULL;",
        log = name(plan.tables.log()),
        columns = columns.join(", "),
        values = values.join(", "),
    )
}

/// The action of a record, from its changes.
fn action(plan: &TriggerPlan, event: Event) -> String {
    let action = text(event.action());
    let (Event::Update, Some((mark, is_bool))) = (event, plan.deletion_mark()) else {
        return action;
    };
    let path = |side: &str| text(&format!("$.{}.{side}", JsonValue::from(mark)));
    let side = |side: &str| {
        let value = format!("json_extract(changes, {})", path(side));
        if is_bool {
            format!("nullif({value}, 0)")
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
        // The sign has no effect; without it SQLite names the list's columns after the first row.
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
