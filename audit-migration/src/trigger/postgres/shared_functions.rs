//! The functions that all triggers of one log share.
//!
//! The type that a column has when a statement is planned decides which of the functions of one name is called, so no
//! change of a column's type makes a trigger fail. Those in SQL are one expression each, which the planner inlines.

use super::context::fields;
use super::quote::{ident, literal, qualified};
use crate::trigger::TriggerDefinition;

/// A column's value as the text of its canonical JSON.
pub(super) const JSON: &str = "sea_orm_audit_json";
/// Whether two values of a column differ.
pub(super) const DIFFER: &str = "sea_orm_audit_differ";
/// A date or time outside the years 1 to 9999.
const FAR: &str = "sea_orm_audit_far";
/// A document of the type `json`, which holds what `jsonb` cannot.
pub(super) const DOCUMENT: &str = "sea_orm_audit_document";
/// An array, or what a column of arrays has become.
///
/// It has a name of its own, since an array of domains could mean more than one of several.
pub(super) const LIST: &str = "sea_orm_audit_list";
/// An embedding of pgvector.
pub(super) const VECTOR: &str = "sea_orm_audit_vector";
/// The change of a JSON column, which may hold secrets.
pub(super) const CHANGE: &str = "sea_orm_audit_change";
/// Whether a document has a key that is a secret's.
pub(super) const SECRET: &str = "sea_orm_audit_secret";
/// The values of the context that another program has set.
pub(super) const CONTEXT: &str = "sea_orm_audit_context";
/// Text that is only shown: harmless, and cut.
pub(super) const SHOWN: &str = "sea_orm_audit_shown";
/// An object's id that fits into its column.
pub(super) const FIT: &str = "sea_orm_audit_fit";

/// All names, in the order of their making.
pub(super) const NAMES: [&str; 11] = [
    FAR, DOCUMENT, JSON, LIST, DIFFER, VECTOR, SECRET, CHANGE, CONTEXT, SHOWN, FIT,
];

/// A function of several that may have one name.
struct Helper {
    /// Names and types of its parameters, as the catalogue prints them.
    parameters: String,
    returns: &'static str,
    language: &'static str,
    body: String,
}

impl Helper {
    fn sql(parameters: &str, returns: &'static str, expression: String) -> Self {
        Self {
            parameters: parameters.to_owned(),
            returns,
            language: "sql",
            body: format!("SELECT {expression}"),
        }
    }

    fn plpgsql(parameters: &str, returns: &'static str, body: impl Into<String>) -> Self {
        Self {
            parameters: parameters.to_owned(),
            returns,
            language: "plpgsql",
            body: body.into(),
        }
    }

    fn create(&self, schema: &str, name: &str) -> String {
        format!(
            "CREATE OR REPLACE FUNCTION {}({}) RETURNS {} LANGUAGE {} STABLE AS {};\n",
            qualified(schema, name),
            self.parameters,
            self.returns,
            self.language,
            literal(&self.body),
        )
    }
}

/// The catalogue's definition of the helpers called `p.proname`; see [`definition`].
pub(super) const CATALOGUE: &str = "pg_catalog.string_agg(COALESCE(a.parameters, '') || ' ' || \
     pg_catalog.replace(pg_catalog.format_type(p.prorettype, NULL), '\"', '') || ' ' || l.lanname || ' ' || \
     p.provolatile::text || ' ' || p.prosecdef::text || ' ' || COALESCE(p.proconfig::text, '') || \
     E'\\n' || p.prosrc, E'\\n' ORDER BY a.parameters COLLATE \"C\")";

/// The parameters of `p` as they are written here, in whichever way the session quotes names.
pub(super) const PARAMETERS: &str = "(SELECT pg_catalog.string_agg(\
     COALESCE(a.name, '') || ' ' || pg_catalog.replace(pg_catalog.format_type(a.kind, NULL), '\"', ''), ', ' ORDER BY a.place) AS parameters \
     FROM unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a (name, kind, place))";

fn definition(helpers: &[Helper]) -> String {
    let mut helpers: Vec<&Helper> = helpers.iter().collect();
    helpers.sort_by(|a, b| a.parameters.cmp(&b.parameters));
    let lines = helpers.iter().map(|helper| {
        let Helper {
            parameters,
            returns,
            language,
            body,
        } = helper;
        format!("{parameters} {returns} {language} s false \n{body}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The helpers in a schema, one definition for each name.
pub(super) fn objects(schema: &str) -> Vec<TriggerDefinition> {
    let object = |name: &&str| {
        let helpers = named(schema, name);
        let drops: Vec<String> = (helpers.iter())
            .map(|helper| {
                format!(
                    "DROP FUNCTION IF EXISTS {}({});",
                    qualified(schema, name),
                    helper.parameters
                )
            })
            .collect();
        TriggerDefinition {
            name: (*name).to_owned(),
            create: (helpers.iter())
                .map(|helper| helper.create(schema, name))
                .collect(),
            drop: drop_unused(schema, &drops.join(" ")),
            definition: definition(&helpers),
        }
    };
    NAMES.iter().map(object).collect()
}

/// Drops helpers, unless the triggers of another table still call them.
fn drop_unused(schema: &str, drops: &str) -> String {
    let body = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
         WHERE n.nspname = {} AND p.proname LIKE {} \
         AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype) THEN {drops} END IF; END",
        literal(schema),
        literal("sea\\_orm\\_audit\\_%"),
    );
    format!("DO {}", literal(&body))
}

fn named(schema: &str, name: &str) -> Vec<Helper> {
    let s = ident(schema);
    match name {
        FAR => vec![Helper::plpgsql("iso text, zone text", "text", FAR_BODY)],
        DOCUMENT => vec![Helper::plpgsql("document text", "text", DOCUMENT_BODY)],
        JSON => json_helpers(&s),
        DIFFER => differ_helpers(&s),
        LIST => vec![Helper::plpgsql("x anyelement", "text", list(&s))],
        VECTOR => vec![Helper::plpgsql(
            "embedding text",
            "text",
            format!(
                "BEGIN RETURN COALESCE({s}.{LIST}(translate(embedding, '[]', '{{}}')::real[]), \
                 'null'); EXCEPTION WHEN OTHERS THEN RETURN to_json(embedding)::text; END"
            ),
        )],
        SECRET => vec![Helper::plpgsql(
            "document text, hint text, secrets text",
            "boolean",
            SECRET_BODY,
        )],
        CHANGE => vec![Helper::plpgsql(
            "old text, new text, hint text, secrets text",
            "text",
            format!(
                "BEGIN\n  IF {s}.{SECRET}(old, hint, secrets) OR {s}.{SECRET}(new, hint, secrets) THEN\n    \
                 RETURN '{{\"redacted\":true}}';\n  END IF;\n  \
                 RETURN '{{' || concat_ws(',', '\"old\":' || old, '\"new\":' || new) || '}}';\nEND"
            ),
        )],
        CONTEXT => vec![Helper::plpgsql("reported text", "text[]", fields())],
        SHOWN => vec![Helper::plpgsql("shown text, most integer", "text", shown())],
        _ => vec![Helper::plpgsql("id text", "text", FIT_BODY)],
    }
}

/// `0044-03-15T00:00:00 BC` is `-0043-03-15T00:00:00.000000`: ISO 8601 has a year 0.
const FAR_BODY: &str = "DECLARE
  year_part text := split_part(iso, '-', 1);
  rest text;
  year integer;
BEGIN
  IF iso !~ '^[0-9]+-' THEN
    RETURN to_json(iso)::text;
  END IF;
  year := year_part::integer;
  rest := substr(iso, length(year_part) + 1);
  IF right(rest, 3) = ' BC' THEN
    year := 1 - year;
    rest := left(rest, -3);
  END IF;
  IF strpos(rest, 'T') > 0 THEN
    rest := rest || CASE WHEN strpos(rest, '.') > 0 THEN '' ELSE '.' END;
    rest := rpad(rest, strpos(rest, '.') + 6, '0') || zone;
  END IF;
  RETURN '\"' || CASE WHEN year < 0 THEN '-' WHEN year > 9999 THEN '+' ELSE '' END
    || lpad(abs(year)::text, greatest(4, length(abs(year)::text)), '0') || rest || '\"';
END";

/// What `jsonb` refuses is kept as text; and so is what `serde_json` would refuse, and with it the whole record:
/// numbers beyond a double, which `jsonb` writes out in all their digits, and too many levels.
const DOCUMENT_BODY: &str = "DECLARE
  stored text;
BEGIN
  stored := document::jsonb::text;
  IF length(stored) >= 309 AND stored ~ '[0-9]{155}[0-9]{154}'
    OR length(stored) - length(translate(stored, '[{', '')) > 120
    AND jsonb_path_exists(stored::jsonb, '$.**{120 to last}') THEN
    RETURN to_json(document)::text;
  END IF;
  RETURN stored;
EXCEPTION WHEN OTHERS THEN
  RETURN to_json(document)::text;
END";

/// A document that is kept as text may write its keys in ways that are not searched: it counts as one with secrets.
const SECRET_BODY: &str = "BEGIN
  IF (left(document, 1) = '\"' OR left(document, 2) = '[\"') AND document ~ E'\\\\\\\\\"[[:space:]]*:' THEN
    RETURN true;
  ELSIF document IS NULL OR strpos(document, '\":') = 0 OR translate(lower(document), '_', '') !~ hint THEN
    RETURN false;
  END IF;
  RETURN lower(regexp_replace(
    regexp_replace(document, '([[:lower:][:digit:]])([[:upper:]])', E'\\\\1_\\\\2', 'g'),
    '([[:upper:]])([[:upper:]][[:lower:]])', E'\\\\1_\\\\2', 'g')) ~ secrets;
END";

const FIT_BODY: &str = "BEGIN
  IF length(id) <= 600 THEN
    RETURN id;
  END IF;
  RETURN left(id, 528) || '~sha256:' || encode(sha256(convert_to(id, 'UTF8')), 'hex');
END";

/// As `clean_text`: control characters become their pictures, what reorders text U+FFFD.
fn shown() -> String {
    let pictured = (1..0x20).chain([0x7f]);
    let replaced = (0x80..0xa0).chain(0x2028..0x202f).chain(0x2066..0x206a);
    let all: String = (pictured.chain(replaced))
        .filter_map(char::from_u32)
        .collect();
    let becomes: String = (all.chars())
        .map(|char| match u32::from(char) {
            code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or(char),
            0x7f => '␡',
            _ => char::REPLACEMENT_CHARACTER,
        })
        .collect();
    // The characters by number, so that the function's text is harmless itself.
    let by_number = |text: &str| -> String {
        let escaped = text
            .chars()
            .map(|char| format!("\\u{:04x}", u32::from(char)));
        format!("E'{}'", escaped.collect::<String>())
    };
    let ranges = "[\\x01-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]";
    format!(
        "BEGIN\n  IF length(shown) > most THEN\n    shown := left(shown, most - 1) || E'\\u2026';\n  \
         END IF;\n  IF shown ~ {} THEN\n    RETURN translate(shown, {}, {});\n  END IF;\n  \
         RETURN shown;\nEND",
        literal(ranges),
        by_number(&all),
        by_number(&becomes),
    )
}

/// Element by element. A list of several dimensions, which no SeaORM value is, stays as PostgreSQL
/// writes it.
fn list(s: &str) -> String {
    format!(
        "BEGIN
  IF x IS NULL THEN
    RETURN 'null';
  ELSIF pg_typeof(x)::text NOT LIKE '%[]' THEN
    RETURN {s}.{JSON}(x);
  ELSIF array_ndims(x) > 1 THEN
    RETURN to_json(x)::text;
  END IF;
  RETURN '[' || COALESCE((SELECT string_agg({s}.{JSON}(item), ',' ORDER BY place)
    FROM unnest(x) WITH ORDINALITY AS items (item, place)), '') || ']';
END"
    )
}

/// One for each type whose text in JSON is another one than PostgreSQL's own.
fn json_helpers(s: &str) -> Vec<Helper> {
    let one =
        |kind: &str, expression: String| Helper::sql(&format!("x {kind}"), "text", expression);
    let quoted = |text: &str| format!("COALESCE('\"' || {text} || '\"', 'null')");
    let instant = |from: &str, to: &str, x: &str, form: &str, zone: &str| {
        format!(
            "CASE WHEN x BETWEEN '{from}' AND '{to}' THEN '\"' || to_char({x}, '{form}') || '\"' \
             WHEN x IS NULL THEN 'null' ELSE {s}.{FAR}(to_json({x}) #>> '{{}}', '{zone}') END"
        )
    };
    vec![
        one("anyelement", "COALESCE(to_json(x)::text, 'null')".into()),
        // Spelled out: an integer would match the one for double precision.
        one("smallint", "COALESCE(x::text, 'null')".into()),
        one("integer", "COALESCE(x::text, 'null')".into()),
        one(
            "bigint",
            "CASE WHEN x BETWEEN -9007199254740991 AND 9007199254740991 THEN x::text \
             WHEN x IS NULL THEN 'null' ELSE '\"' || x::text || '\"' END"
                .into(),
        ),
        one("real", format!("{s}.{JSON}(x::double precision)")),
        // By way of its text, as the cast to numeric keeps 15 digits only. Adding 0.0 writes 1 as
        // 1.0, and -0 as 0.0.
        one(
            "double precision",
            "CASE WHEN x BETWEEN '-1.7976931348623157e308' AND '1.7976931348623157e308' \
             THEN (x::text::numeric + 0.0)::text \
             WHEN x IS NULL THEN 'null' ELSE '\"' || x::text || '\"' END"
                .into(),
        ),
        one("numeric", quoted("trim_scale(x)::text")),
        one(
            "date",
            format!(
                "CASE WHEN x BETWEEN '0001-01-01' AND '9999-12-31' THEN to_json(x)::text \
                 WHEN x IS NULL THEN 'null' ELSE {s}.{FAR}(to_json(x) #>> '{{}}', '') END"
            ),
        ),
        one(
            "time without time zone",
            quoted("to_char(x, 'HH24:MI:SS.US')"),
        ),
        one(
            "timestamp without time zone",
            instant(
                "0001-01-01 00:00:00",
                "9999-12-31 23:59:59.999999",
                "x",
                "YYYY-MM-DD\"T\"HH24:MI:SS.US",
                "",
            ),
        ),
        one(
            "timestamp with time zone",
            instant(
                "0001-01-01 00:00:00+00",
                "9999-12-31 23:59:59.999999+00",
                "x AT TIME ZONE 'UTC'",
                "YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"",
                "Z",
            ),
        ),
        one("bytea", quoted("encode(x, 'hex')")),
        one("inet", quoted("x::text")),
        // What is short has neither long numbers nor many levels.
        one(
            "jsonb",
            format!(
                "CASE WHEN x IS NULL THEN 'null' WHEN length(x::text) < 240 THEN x::text \
                 ELSE {s}.{DOCUMENT}(x::text) END"
            ),
        ),
        one("json", format!("COALESCE({s}.{DOCUMENT}(x::text), 'null')")),
    ]
}

/// By the type's own equality where it is that of the values, else by their text.
fn differ_helpers(s: &str) -> Vec<Helper> {
    let one = |kind: &str, expression: String| {
        Helper::sql(&format!("a {kind}, b {kind}"), "boolean", expression)
    };
    // Byte by byte, whatever the collation of the column takes for equal.
    let by_text = "a::text COLLATE \"C\" IS DISTINCT FROM b::text COLLATE \"C\"";
    let mut helpers = vec![
        one("anyelement", by_text.into()),
        one(
            "jsonb",
            "COALESCE(a, 'null'::jsonb) <> COALESCE(b, 'null'::jsonb)".into(),
        ),
    ];
    let own = [
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "uuid",
        "date",
        "time without time zone",
        "timestamp without time zone",
        "timestamp with time zone",
        "bytea",
        "inet",
    ];
    helpers.extend(own.map(|kind| one(kind, "a IS DISTINCT FROM b".into())));
    let documents = format!("{by_text} AND {s}.{JSON}(a)::jsonb <> {s}.{JSON}(b)::jsonb");
    helpers.push(one("json", documents));
    helpers
}
