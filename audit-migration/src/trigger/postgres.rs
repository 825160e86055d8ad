//! Triggers on PostgreSQL.
//!
//! One trigger for each action, AFTER the STATEMENT, with transition tables: one INSERT into the log
//! for all rows of a statement. Before a TRUNCATE each row of the table is recorded as deleted.
//!
//! The functions are in the schema of the log and run with the rights of their creator, so that writers need none on
//! the log. No other user may make triggers of them, which could write any row into the log. What they find is fixed by
//! their `search_path`, whatever the session's is.

mod context;
mod event;
mod function;
mod quote;
mod secret;
mod shared_functions;
mod table_location;
#[cfg(test)]
mod tests;

use sea_orm_audit_core::trigger_plan::TriggerPlan;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Installed, TriggerDefinition};
use event::{Event, NEW, OLD};
use function::Functions;
use quote::{ident, json, literal, qualified};
use table_location::Site;

/// The bits of `pg_trigger.tgtype`: for each row, before, and on which event.
const BEFORE: u8 = 1 << 1;
const ON_INSERT: u8 = 1 << 2;
const ON_DELETE: u8 = 1 << 3;
const ON_UPDATE: u8 = 1 << 4;
const ON_TRUNCATE: u8 = 1 << 5;

const EVENTS: [Event; 4] = [Event::Insert, Event::Update, Event::Delete, Event::Truncate];

/// The longest name.
const NAME_LIMIT: usize = 63;

pub(super) async fn objects<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<TriggerDefinition>, DbErr> {
    let site = Site::of(db, plan).await?;
    let functions = Functions::new(plan, &site);
    let mut objects = shared_functions::objects(&site.log_schema);
    let recorded = EVENTS.into_iter().filter(|event| match event {
        Event::Insert => plan.create,
        Event::Update => plan.update,
        Event::Delete | Event::Truncate => plan.delete,
    });
    for event in recorded {
        objects.push(function(plan, &site, &functions, event));
        objects.push(trigger(plan, &site, event));
    }
    Ok(objects)
}

/// The name of a function: the log's schema holds those of many tables.
fn function_name(plan: &TriggerPlan, site: &Site, event: Event) -> String {
    let table = if site.schema == site.log_schema {
        plan.table.to_owned()
    } else {
        format!("{}.{}", site.schema, plan.table)
    };
    let name = |table: &str| format!("sea_orm_audit_{table}_{}", event.word());
    let whole = name(&table);
    // A point inside of a name could make two names one; so could being cut off.
    let points = usize::from(site.schema != site.log_schema);
    if whole.len() <= NAME_LIMIT && table.matches('.').count() == points {
        return whole;
    }
    let digest = &site.digest[..16];
    let room = NAME_LIMIT - name(digest).len() - 1;
    let mut begin = plan.table;
    while begin.len() > room {
        let mut chars = begin.chars();
        chars.next_back();
        begin = chars.as_str();
    }
    name(&format!("{begin}_{digest}"))
}

/// The settings that a function runs under, as they are written and as the catalogue has them.
fn settings(site: &Site, event: Event) -> Vec<(&'static str, &'static str)> {
    // Compiling the expressions of a statement takes longer than running them for a few rows, but servers estimate the
    // opposite.
    let mut settings = vec![("search_path", "pg_catalog, pg_temp"), ("jit", "off")];
    // A plan that was made for a thousand rows looks expensive for one, which would then be planned each time.
    settings.push(("plan_cache_mode", "force_generic_plan"));
    if event == Event::Truncate {
        // Rows that a policy hides from the triggers' owner are deleted, too: TRUNCATE must fail rather than miss them.
        settings.push(("row_security", "off"));
    }
    if site.has_floats || site.has_others {
        settings.push(("extra_float_digits", "1"));
    }
    if site.has_others {
        settings.push(("TimeZone", "UTC"));
        settings.push(("DateStyle", "ISO, MDY"));
        settings.push(("IntervalStyle", "postgres"));
    }
    settings
}

fn function(
    plan: &TriggerPlan,
    site: &Site,
    functions: &Functions<'_>,
    event: Event,
) -> TriggerDefinition {
    let name = function_name(plan, site, event);
    let signature = format!("{}()", qualified(&site.log_schema, &name));
    let body = functions.body(event);
    let settings = settings(site, event);
    let set: Vec<String> = (settings.iter())
        .map(|(name, value)| {
            // A list of schemas in quotes would be the name of one.
            let value = match *name {
                "search_path" => (*value).to_owned(),
                _ => literal(value),
            };
            format!(" SET \"{name}\" TO {value}")
        })
        .collect();
    let listed: Vec<String> = (settings.iter())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    TriggerDefinition {
        create: format!(
            "CREATE OR REPLACE FUNCTION {signature} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER{} \
             AS {};\n{}",
            set.concat(),
            literal(&body),
            only_for_its_owner(&signature)
        ),
        drop: drop_unused(&signature),
        definition: format!("true {}\n{body}", listed.join("\n")),
        name,
    }
}

/// Functions run with the rights of their owner; a better match of a helper's name would take its place.
pub(super) async fn faults<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    let site = Site::of(db, plan).await?;
    let log = qualified(&site.log_schema, plan.tables.log());
    let functions = EVENTS.map(|event| function_name(plan, &site, event));
    let look = Statement::from_sql_and_values(
        db.get_database_backend(),
        "WITH functions AS (SELECT p.proowner AS owner, n.oid AS schema, n.nspname, n.nspowner, n.nspacl \
           FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
           WHERE n.nspname = $1::text AND p.proname::text IN \
             (SELECT pg_catalog.json_array_elements_text($2::text::json))) \
         SELECT DISTINCT pg_catalog.format('%s may create functions in the schema %I, which could take the place of \
           those that the triggers call: revoke that', \
           CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::pg_catalog.regrole::text END, f.nspname) AS fault \
         FROM functions AS f CROSS JOIN LATERAL pg_catalog.aclexplode( \
           COALESCE(f.nspacl, pg_catalog.acldefault('n', f.nspowner))) AS a \
         WHERE a.privilege_type = 'CREATE' AND a.grantee NOT IN (f.nspowner, f.owner) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper) \
         UNION \
         SELECT DISTINCT pg_catalog.format('%s, who owns the triggers'' functions, may not write the log, and every \
           write fails', f.owner::pg_catalog.regrole) \
         FROM functions AS f WHERE pg_catalog.to_regclass($3::text) IS NOT NULL \
           AND NOT pg_catalog.has_table_privilege(f.owner, pg_catalog.to_regclass($3::text), 'INSERT') \
         ORDER BY 1",
        [
            site.log_schema.clone().into(),
            list(&functions).into(),
            log.into(),
        ],
    );
    let found = db.query_all_raw(look).await?;
    found.iter().map(|row| row.try_get("", "fault")).collect()
}

/// A partition that is a foreign table: it cannot be written through a table with transition tables.
pub(super) async fn foreign_partition<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Option<String>, DbErr> {
    let site = Site::of(db, plan).await?;
    let look = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT c.relname::text AS name FROM pg_catalog.pg_partition_tree( \
           pg_catalog.to_regclass($1::text)) AS t \
         JOIN pg_catalog.pg_class AS c ON c.oid = t.relid WHERE c.relkind = 'f' LIMIT 1",
        [qualified(&site.schema, plan.table).into()],
    );
    let found = db.query_one_raw(look).await?;
    found.map(|row| row.try_get("", "name")).transpose()
}

/// Drops the functions that the table's triggers call, to be run when these are dropped.
pub(super) async fn drops_of_older<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    let site = Site::of(db, plan).await?;
    let look = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT n.nspname::text AS schema_name, p.proname::text AS name \
         FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
         WHERE t.tgrelid = pg_catalog.to_regclass($1::text)::pg_catalog.oid AND NOT t.tgisinternal \
           AND t.tgname LIKE $2::text AND p.proname LIKE $2::text",
        [
            qualified(&site.schema, plan.table).into(),
            "sea\\_orm\\_audit\\_%".into(),
        ],
    );
    let found = db.query_all_raw(look).await?;
    let mut drops = Vec::new();
    for row in &found {
        let (schema, name): (String, String) =
            (row.try_get("", "schema_name")?, row.try_get("", "name")?);
        drops.push(drop_unused(&format!("{}()", qualified(&schema, &name))));
    }
    if !drops.is_empty() {
        // They may have kept the helpers.
        drops.extend(
            shared_functions::objects(&site.log_schema)
                .into_iter()
                .rev()
                .map(|it| it.drop),
        );
    }
    Ok(drops)
}

/// Revokes the right to make triggers of a function from all users, also from those who have it by default.
fn only_for_its_owner(signature: &str) -> String {
    let body = format!(
        "DECLARE v_who oid; BEGIN REVOKE ALL ON FUNCTION {signature} FROM PUBLIC; \
         FOR v_who IN SELECT DISTINCT a.grantee FROM pg_catalog.pg_proc AS p \
         CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a \
         WHERE p.oid = {name}::pg_catalog.regprocedure AND a.grantee NOT IN (0, p.proowner) LOOP \
         EXECUTE pg_catalog.format({revoke}, v_who::pg_catalog.regrole); END LOOP; END",
        name = literal(signature),
        revoke = literal(&format!(
            "REVOKE ALL ON FUNCTION {} FROM %s",
            signature.replace('%', "%%")
        )),
    );
    format!("DO {}", literal(&body))
}

/// Drops a function, unless a table that had the name before still has triggers of it.
fn drop_unused(signature: &str) -> String {
    let body = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger \
         WHERE tgfoid = pg_catalog.to_regprocedure({})::pg_catalog.oid) \
         THEN DROP FUNCTION IF EXISTS {signature}; END IF; END",
        literal(signature),
    );
    format!("DO {}", literal(&body))
}

fn or_dash(rows: &str) -> &str {
    if rows.is_empty() { "-" } else { rows }
}

fn trigger(plan: &TriggerPlan, site: &Site, event: Event) -> TriggerDefinition {
    let name = format!("sea_orm_audit_{}", event.word());
    let table = qualified(&site.schema, plan.table);
    let function = function_name(plan, site, event);
    let (when, kind, old, new) = match event {
        Event::Insert => ("AFTER INSERT", ON_INSERT, "", NEW),
        Event::Update => ("AFTER UPDATE", ON_UPDATE, OLD, NEW),
        Event::Delete => ("AFTER DELETE", ON_DELETE, OLD, ""),
        Event::Truncate => ("BEFORE TRUNCATE", BEFORE | ON_TRUNCATE, "", ""),
    };
    let rows: Vec<String> = ([("OLD", old), ("NEW", new)].into_iter())
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(word, rows)| format!(" {word} TABLE AS {rows}"))
        .collect();
    let referencing = if rows.is_empty() {
        String::new()
    } else {
        format!(" REFERENCING{}", rows.concat())
    };
    TriggerDefinition {
        create: format!(
            "CREATE TRIGGER {} {when} ON {table}{referencing} FOR EACH STATEMENT \
             EXECUTE FUNCTION {}()",
            ident(&name),
            qualified(&site.log_schema, &function),
        ),
        drop: format!("DROP TRIGGER IF EXISTS {} ON {table}", ident(&name)),
        definition: format!(
            "{kind} {} {} always {} {function}",
            or_dash(old),
            or_dash(new),
            site.log_schema
        ),
        name,
    }
}

/// The triggers of a table, the functions of one name or another, and the helpers.
fn look() -> String {
    let (helpers, parameters) = (shared_functions::CATALOGUE, shared_functions::PARAMETERS);
    format!(
        "SELECT t.tgname::text AS name, pg_catalog.concat_ws(' ', t.tgtype, \
           COALESCE(t.tgoldtable::text, '-'), COALESCE(t.tgnewtable::text, '-'), \
           CASE WHEN t.tgqual IS NULL AND t.tgnargs = 0 AND t.tgattr::text = '' \
           THEN 'always' ELSE 'sometimes' END, n.nspname, p.proname) AS definition, \
           t.tgenabled IN ('O', 'A') AS enabled, false AS shared \
         FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
         WHERE t.tgrelid = pg_catalog.to_regclass($1::text)::pg_catalog.oid \
           AND t.tgname LIKE $2::text AND NOT t.tgisinternal \
         UNION ALL \
         SELECT p.proname::text, p.prosecdef::text || ' ' || \
           pg_catalog.array_to_string(p.proconfig, E'\\n') || E'\\n' || p.prosrc, true, false \
         FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
         WHERE n.nspname = $3::text AND p.proname::text IN \
           (SELECT pg_catalog.json_array_elements_text($4::text::json)) \
         UNION ALL \
         SELECT p.proname::text, {helpers}, true, true \
         FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
         JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang \
         CROSS JOIN LATERAL {parameters} AS a \
         WHERE n.nspname = $3::text AND p.proname::text IN \
           (SELECT pg_catalog.json_array_elements_text($5::text::json)) \
         GROUP BY p.proname"
    )
}

/// Names as a JSON array.
fn list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| json(name.as_ref())).collect();
    format!("[{}]", names.join(","))
}

pub(super) async fn installed<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    let site = Site::of(db, plan).await?;
    let functions = EVENTS.map(|event| function_name(plan, &site, event));
    let look = Statement::from_sql_and_values(
        db.get_database_backend(),
        look(),
        [
            qualified(&site.schema, plan.table).into(),
            "sea\\_orm\\_audit\\_%".into(),
            site.log_schema.into(),
            list(&functions).into(),
            list(&shared_functions::NAMES).into(),
        ],
    );
    let rows = db.query_all_raw(look).await?;
    let installed = rows.iter().map(|row| {
        Ok(Installed {
            name: row.try_get("", "name")?,
            definition: row.try_get("", "definition")?,
            enabled: row.try_get("", "enabled")?,
            shared: row.try_get("", "shared")?,
        })
    });
    installed.collect()
}
