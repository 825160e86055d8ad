//! The functions of one table: what they write into the log.
//!
//! One file, because it is the text of one SQL function.
//!
//! No function names a column in a way that fails when the column is dropped. Names are looked up in the row first, and
//! then in a row of NULLs around it that has all of them:
//!
//! ```sql
//! FROM (SELECT NULL::text AS "title") AS gone CROSS JOIN new_rows AS t
//! CROSS JOIN LATERAL (SELECT "title" AS c0 FROM (SELECT t.*) AS x) AS r
//! ```

use std::collections::BTreeSet;

use sea_orm_audit_core::trigger_plan::{LabelPart, TriggerColumn, TriggerPlan, TriggerTreatment};
use sea_orm_audit_core::{ColumnKind, clean_text, limits};
use sea_orm_migration::sea_orm::sea_query::ArrayType;

use super::context::{VARIABLES, read};
use super::event::{Event, NEW, OLD};
use super::quote::{ident, json, literal, qualified};
use super::secret::{hint, pattern};
use super::shared_functions::{CHANGE, DIFFER, FIT, JSON, LIST, SECRET, SHOWN, VECTOR};
use super::table_location::Site;

/// Counts the rows of an UPDATE up to two, and ends where it wrote none.
const COUNT: &str = "  SELECT count(*) INTO v_rows FROM (SELECT FROM new_rows LIMIT 2) AS few;\n  \
     IF v_rows = 0 THEN\n    RETURN NULL;\n  END IF;\n";

const REDACTED: &str = "[redacted]";

/// Makes the functions of one table.
pub(super) struct Functions<'a> {
    plan: &'a TriggerPlan,
    site: &'a Site,
    /// The helpers' schema, quoted.
    schema: String,
    /// The patterns of secret keys as the helpers' arguments: of the cheap look, and of the exact one.
    secrets: Option<String>,
    /// The positions of the columns that are read.
    used: BTreeSet<usize>,
}

impl<'a> Functions<'a> {
    pub(super) fn new(plan: &'a TriggerPlan, site: &'a Site) -> Self {
        let recorded = (plan.columns.iter().enumerate())
            .filter(|(_, column)| column.treatment != TriggerTreatment::Leave)
            .map(|(at, _)| at);
        let shown = plan.label.iter().filter_map(|part| match part {
            LabelPart::Column(at) => Some(*at),
            LabelPart::Text(_) => None,
        });
        let key = plan.key.iter().copied().filter(|at| plan.columns[*at].open);
        Self {
            plan,
            site,
            schema: ident(&site.log_schema),
            secrets: pattern(&plan.secrets)
                .map(|pattern| format!("{}, {}", literal(&hint(&plan.secrets)), literal(&pattern))),
            used: recorded
                .chain(shown)
                .chain(key)
                .chain(plan.tenant)
                .collect(),
        }
    }

    /// The body of a function.
    pub(super) fn body(&self, event: Event) -> String {
        let before = format!(
            "#variable_conflict use_column\n-- The table as it was: {}\n{}",
            self.site.fingerprint,
            read(
                &self.site.log_schema,
                if event == Event::Update { COUNT } else { "" }
            )
        );
        let variable = |at: usize| VARIABLES[at].to_owned();
        match event {
            Event::Insert | Event::Delete => {
                let (insert, _) = self.insert(event, &variable, "");
                return format!("{before}  {insert};\n  RETURN NULL;\nEND");
            }
            Event::Update => {
                let (one, _) = self.insert(event, &variable, &self.pair());
                let (many, _) = self.insert(event, &variable, &self.pairs());
                return format!(
                    "{before}  IF v_rows = 1 THEN\n  {one};\n  ELSE\n  {many};\n  END IF;\n  RETURN NULL;\nEND"
                );
            }
            Event::Truncate => {}
        }
        // A snapshot that is older than the lock does not have all rows that are deleted.
        let before = format!(
            "{before}  IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN\n    \
             RAISE EXCEPTION 'TRUNCATE of an audited table needs READ COMMITTED: rows that others have committed \
             meanwhile could not be recorded' USING HINT = 'Use DELETE, or another isolation level.';\n  END IF;\n"
        );
        // The table's name is the one that it has when it is emptied.
        let (begin, end) = self.insert(event, &|at| format!("${}", at + 1), "");
        format!(
            "{before}  EXECUTE {} || (SELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END \
             FROM pg_class WHERE oid = TG_RELID) || TG_RELID::regclass::text || {}\n  \
             USING {};\n  RETURN NULL;\nEND",
            literal(&begin),
            literal(&end),
            VARIABLES.join(", "),
        )
    }

    /// The INSERT into the log, split where the name of the emptied table belongs. An UPDATE's rows are these `pairs`.
    fn insert(
        &self,
        event: Event,
        value: &dyn Fn(usize) -> String,
        pairs: &str,
    ) -> (String, String) {
        let values: Vec<String> = (0..VARIABLES.len()).map(value).collect();
        let [
            actor_type,
            actor_id,
            actor_name,
            impersonator_id,
            ip_address,
            user_agent,
            session_key,
            request_id,
            trace_id,
            transaction_id,
            tenant,
            reason,
            module,
            metadata,
        ] = &values[..]
        else {
            return Default::default();
        };
        let module = match self.plan.module {
            Some(module) => literal(
                &module
                    .chars()
                    .take(limits::NAME as usize)
                    .collect::<String>(),
            ),
            None => module.clone(),
        };
        let tenant = match self.plan.tenant {
            Some(_) => format!("COALESCE(left(d.tenant, {}), {tenant})", limits::NAME),
            None => tenant.clone(),
        };
        let begin = format!(
            "INSERT INTO {log} (occurred_at, action, outcome, model, object_id, object_repr, \
             changes, actor_type, actor_id, actor_name, impersonator_id, ip_address, user_agent, \
             session_key, request_id, trace_id, transaction_id, tenant, reason, module, source, \
             metadata)\n  \
             SELECT clock_timestamp(), {action}, 'SUCCESS', {model}, d.object_id, {label}, \
             ('{{' || d.changes || '}}')::json, {actor_type}, {actor_id}, {actor_name}, \
             {impersonator_id}, {ip_address}, {user_agent}, {session_key}, {request_id}, \
             {trace_id}, {transaction_id}, {tenant}, {reason}, {module}, 'TRIGGER', {metadata}\n  \
             FROM (",
            log = qualified(&self.site.log_schema, self.plan.tables.log()),
            action = self.action(event),
            model = literal(&self.plan.model),
            label = self.label_of_record(),
        );
        let id_row = if event == Event::Update { "o" } else { "r" };
        let shown_row = if event == Event::Update { "n" } else { "r" };
        let mut columns = vec![format!("{} AS object_id", self.object_id(id_row))];
        if !self.plan.label.is_empty() {
            columns.push(format!("{} AS object_repr", self.label(shown_row)));
        }
        if let Some(at) = self.plan.tenant {
            columns.push(format!("{} AS tenant", self.plain(shown_row, at)));
        }
        columns.push(format!(
            "{} AS changes",
            match event {
                Event::Insert => self.whole_row("new"),
                Event::Update => self.differences(),
                Event::Delete | Event::Truncate => self.whole_row("old"),
            }
        ));
        let columns = columns.join(", ");
        match event {
            Event::Insert => (
                format!("{begin}SELECT {columns}\n  FROM {}) AS d", self.rows(NEW)),
                String::new(),
            ),
            Event::Delete => (
                format!("{begin}SELECT {columns}\n  FROM {}) AS d", self.rows(OLD)),
                String::new(),
            ),
            Event::Truncate => {
                let rows = self.rows("\u{0}");
                let (before, after) = rows.split_once('\u{0}').unwrap_or_default();
                (
                    format!("{begin}SELECT {columns}\n  FROM {before}"),
                    format!("{after}) AS d"),
                )
            }
            // Not flattened, as changes would then be computed twice.
            Event::Update => (
                format!(
                    "{begin}SELECT {columns}\n  FROM {pairs} OFFSET 0) AS d\n  WHERE d.changes <> ''"
                ),
                String::new(),
            ),
        }
    }

    /// The action of a record, from its changes.
    fn action(&self, event: Event) -> String {
        let action = format!("'{}'", event.action());
        let (Event::Update, Some((mark, is_bool))) = (event, self.plan.deletion_mark()) else {
            return action;
        };
        let side = |side: &str| {
            let value = format!(
                "(('{{' || d.changes || '}}')::json -> {} ->> '{side}')",
                literal(mark)
            );
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

    /// The old row and the new one, of a statement that wrote one row.
    fn pair(&self) -> String {
        format!(
            "(SELECT r.* FROM {}) AS o\n  CROSS JOIN (SELECT r.* FROM {}) AS n",
            self.rows(OLD),
            self.rows(NEW)
        )
    }

    /// The old rows, each with its new one. Both tables have them in the same order, so that rows whose key changed are
    /// paired, too. No full join is a nested loop, which a plan made for two rows would run for a thousand.
    fn pairs(&self) -> String {
        format!(
            "(SELECT row_number() OVER () AS place, r.* FROM {}) AS o\n  \
             FULL JOIN (SELECT row_number() OVER () AS place, r.* FROM {}) AS n ON n.place = o.place",
            self.rows(OLD),
            self.rows(NEW)
        )
    }

    /// The rows of a table as `r`, their columns by number.
    fn rows(&self, table: &str) -> String {
        let list = |item: &dyn Fn(usize) -> String| -> String {
            let items: Vec<String> = self.used.iter().map(|at| item(*at)).collect();
            items.join(", ")
        };
        let name = |at: usize| ident(self.plan.columns[at].name);
        format!(
            "(SELECT {}) AS gone CROSS JOIN {table} AS t\n  \
             CROSS JOIN LATERAL (SELECT {} FROM (SELECT t.*) AS x) AS r",
            list(&|at| format!("NULL::text AS {}", name(at))),
            list(&|at| if self.is_computed(at) {
                format!("NULL::text AS c{at}")
            } else {
                format!("{} AS c{at}", name(at))
            }),
        )
    }

    /// A column's value as canonical JSON.
    fn json(&self, row: &str, at: usize) -> String {
        match self.plan.columns[at].shape {
            ColumnKind::Vector => format!("{}.{VECTOR}({row}.c{at}::text)", self.schema),
            _ if self.is_list(at) => format!("{}.{LIST}({row}.c{at})", self.schema),
            _ => format!("{}.{JSON}({row}.c{at})", self.schema),
        }
    }

    /// Whether a column cannot be read in a trigger, so that it is not recorded.
    fn is_computed(&self, at: usize) -> bool {
        let name = self.plan.columns[at].name;
        self.site.computed.iter().any(|computed| computed == name)
    }

    fn is_list(&self, at: usize) -> bool {
        let column = &self.plan.columns[at];
        matches!(column.shape, ColumnKind::Many(_))
            || self.site.lists.iter().any(|l| l == column.name)
    }

    /// Whether a column differs between `o` and `n`.
    fn differs(&self, at: usize) -> String {
        let differs = format!("{}.{DIFFER}(o.c{at}, n.c{at})", self.schema);
        if self.is_list(at) {
            // The helper compares them by their text.
            let (old, new) = (self.json("o", at), self.json("n", at));
            format!("{differs} AND {old}::jsonb <> {new}::jsonb")
        } else {
            differs
        }
    }

    /// A column's value as text, without the quotes of JSON; NULL where it is.
    fn plain(&self, row: &str, at: usize) -> String {
        let column = &self.plan.columns[at];
        // A `character(n)` would lose its blanks by the cast.
        let padded = self.site.padded.iter().any(|name| name == column.name);
        if is_text_as_it_is(&column.shape) && !padded {
            format!("{row}.c{at}::text")
        } else {
            format!("({}::json #>> '{{}}')", self.json(row, at))
        }
    }

    fn object_id(&self, row: &str) -> String {
        let at = |at: &usize| &self.plan.columns[*at];
        match &self.plan.key[..] {
            [one] if !at(one).open => literal(REDACTED),
            // The column may have become a longer one.
            [one] if is_short(at(one)) => left(&self.plain(row, *one), limits::OBJECT_ID),
            [one] => format!("{}.{FIT}({})", self.schema, self.plain(row, *one)),
            many => {
                let parts: Vec<String> = (many.iter())
                    .map(|part| {
                        if at(part).open {
                            self.json(row, *part)
                        } else {
                            literal(&json(REDACTED))
                        }
                    })
                    .collect();
                let id = format!("'[' || {} || ']'", parts.join(" || ',' || "));
                if many.len() < 9 && many.iter().all(|part| is_short(at(part))) {
                    left(&id, limits::OBJECT_ID)
                } else {
                    format!("{}.{FIT}({id})", self.schema)
                }
            }
        }
    }

    /// The label as it is stored, from the columns of `d`.
    fn label_of_record(&self) -> String {
        if !self.plan.label.is_empty() {
            return format!("{}.{SHOWN}(d.object_repr, {})", self.schema, limits::REPR);
        }
        let model = clean_text(&self.plan.model, usize::MAX);
        let label = format!("{} || d.object_id", literal(&format!("{model} #")));
        let short = self.plan.key.len() == 1 && is_short(&self.plan.columns[self.plan.key[0]]);
        if short && model.chars().count() < 150 {
            left(&label, limits::REPR)
        } else {
            format!("{}.{SHOWN}({label}, {})", self.schema, limits::REPR)
        }
    }

    fn label(&self, row: &str) -> String {
        let parts = self.plan.label.iter().map(|part| match part {
            LabelPart::Text(text) => literal(text),
            LabelPart::Column(at) => {
                let plain = format!("COALESCE({}, '')", self.plain(row, *at));
                match self.secrets_in(*at) {
                    Some(secrets) => format!(
                        "CASE WHEN {}.{SECRET}({}, {secrets}) THEN {} ELSE {plain} END",
                        self.schema,
                        self.json(row, *at),
                        literal(REDACTED),
                    ),
                    None => plain,
                }
            }
        });
        parts.collect::<Vec<_>>().join(" || ")
    }

    /// The pattern of secret keys for a column that may have such.
    fn secrets_in(&self, at: usize) -> Option<&str> {
        let column = &self.plan.columns[at];
        let is_json = matches!(
            column.shape,
            ColumnKind::One(ArrayType::Json) | ColumnKind::Many(ArrayType::Json)
        );
        let recorded = column.treatment != TriggerTreatment::Plain;
        (is_json && recorded).then_some(self.secrets.as_deref())?
    }

    /// The changes of a created or deleted row, without the braces around.
    ///
    /// One call of `format`, as each call that an expression has costs when a statement begins.
    fn whole_row(&self, word: &str) -> String {
        let mut form = Vec::new();
        let mut values = Vec::new();
        for (at, column) in self.plan.columns.iter().enumerate() {
            let name = json(column.name).replace('%', "%%");
            match column.treatment {
                _ if self.is_computed(at) => {}
                TriggerTreatment::Leave => {}
                TriggerTreatment::Redact => form.push(format!("{name}:{{\"redacted\":true}}")),
                _ => {
                    let value = self.json("r", at);
                    if let Some(secrets) = self.secrets_in(at) {
                        form.push(format!("{name}:%s"));
                        let (old, new) = match word {
                            "old" => (value.as_str(), "NULL"),
                            _ => ("NULL", value.as_str()),
                        };
                        values.push(format!("{}.{CHANGE}({old}, {new}, {secrets})", self.schema));
                    } else {
                        form.push(format!("{name}:{{\"{word}\":%s}}"));
                        values.push(value);
                    }
                }
            }
        }
        format!(
            "format({}, VARIADIC ARRAY[{}]::text[])",
            literal(&form.join(",")),
            values.join(", ")
        )
    }

    /// The changes between `o` and `n`; empty where there are none.
    fn differences(&self) -> String {
        let differences = (self.plan.columns.iter().enumerate()).filter_map(|(at, column)| {
            let name = json(column.name);
            let escaped = name.replace('%', "%%");
            let change = match (column.treatment, self.secrets_in(at)) {
                _ if self.is_computed(at) => return None,
                (TriggerTreatment::Leave, _) => return None,
                (TriggerTreatment::Redact, _) => literal(&format!("{name}:{{\"redacted\":true}}")),
                (_, Some(secrets)) => format!(
                    "{} || {}.{CHANGE}({}, {}, {secrets})",
                    literal(&format!("{name}:")),
                    self.schema,
                    self.json("o", at),
                    self.json("n", at),
                ),
                _ => format!(
                    "format({}, {}, {})",
                    literal(&format!("{escaped}:{{\"old\":%s,\"new\":%s}}")),
                    self.json("o", at),
                    self.json("n", at),
                ),
            };
            Some(format!("CASE WHEN {} THEN {change} END", self.differs(at)))
        });
        format!(
            "concat_ws(',', VARIADIC ARRAY[{}]::text[])",
            differences.collect::<Vec<_>>().join(",\n    ")
        )
    }
}

fn left(text: &str, limit: u32) -> String {
    format!("left({text}, {limit})")
}

/// Whether the canonical form is PostgreSQL's own text.
fn is_text_as_it_is(shape: &ColumnKind) -> bool {
    use ArrayType as T;
    matches!(
        shape,
        ColumnKind::One(
            T::TinyInt
                | T::SmallInt
                | T::Int
                | T::BigInt
                | T::TinyUnsigned
                | T::SmallUnsigned
                | T::Unsigned
                | T::BigUnsigned
                | T::String
                | T::Char
                | T::Enum(_)
                | T::Uuid
        )
    )
}

/// Whether a value is always far shorter than the log's columns, and harmless.
fn is_short(column: &TriggerColumn) -> bool {
    use ArrayType as T;
    match &column.shape {
        ColumnKind::One(T::String | T::Char | T::Enum(_)) => false,
        ColumnKind::One(kind) => is_text_as_it_is(&column.shape) || *kind == T::Bool,
        _ => false,
    }
}
