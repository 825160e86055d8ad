//! Who did it, from where and why: the transaction's setting `sea_orm_audit.context`.
//!
//! The setting is local to the transaction; after a savepoint's rollback it is the empty text. It is a JSON object, as
//! other programs write it, or what the library writes: the values in the order of the log's columns, each after a
//! [`SEPARATOR`], which takes a fifth of the time to read. Values are cut to the columns' lengths, and unreadable ones
//! are left out: other programs may write the setting, and no write fails for it.

use sea_orm_audit_core::limits;
use sea_orm_audit_core::trigger_plan::CONTEXT_SEPARATOR as SEPARATOR;

use super::quote::{ident, literal};
use super::shared_functions::{CONTEXT, DOCUMENT, SHOWN};

/// The variables that hold the context, in the order of the log's columns, whose names they begin with `v_`.
///
/// They are called by no name that a column has, as columns come first where names are alike.
pub(super) const VARIABLES: [&str; 14] = [
    "v_actor_type",
    "v_actor_id",
    "v_actor_name",
    "v_impersonator_id",
    "v_ip_address",
    "v_user_agent",
    "v_session_key",
    "v_request_id",
    "v_trace_id",
    "v_transaction_id",
    "v_tenant",
    "v_reason",
    "v_module",
    "v_metadata",
];

/// The texts among them that are cut only, and the longest that their columns hold.
const TEXTS: [(&str, Option<u32>); 9] = [
    ("v_impersonator_id", Some(limits::NAME)),
    ("v_ip_address", Some(limits::ADDRESS)),
    ("v_user_agent", None),
    ("v_session_key", Some(limits::DIGEST)),
    ("v_request_id", Some(limits::NAME)),
    ("v_trace_id", Some(limits::NAME)),
    ("v_tenant", Some(limits::NAME)),
    ("v_reason", None),
    ("v_module", Some(limits::NAME)),
];

/// The place of a variable's value in the context, from 1.
fn place(variable: &str) -> usize {
    1 + (VARIABLES.iter())
        .position(|name| *name == variable)
        .unwrap_or(VARIABLES.len())
}

/// The declarations, and the statements that read the context where there is one, after these `first` ones.
pub(super) fn read(log_schema: &str, first: &str) -> String {
    let field = |variable: &str| format!("v_fields[{}]", place(variable));
    let texts = TEXTS.map(|(name, limit)| {
        let text = limit.map_or_else(
            || field(name),
            |limit| format!("left({}, {limit})", field(name)),
        );
        format!("    {name} := {text};\n")
    });
    format!(
        "DECLARE
  v_reported text := NULLIF(current_setting('sea_orm_audit.context', true), '');
  v_rows bigint;
  v_fields text[];
  v_actor_type text := 'SERVICE';
  v_actor_id text;
  v_actor_name text := session_user;
  v_impersonator_id text;
  v_ip_address text;
  v_user_agent text;
  v_session_key text;
  v_request_id text;
  v_trace_id text;
  v_transaction_id uuid;
  v_tenant text;
  v_reason text;
  v_module text;
  v_metadata json;
BEGIN
{first}  IF v_reported IS NOT NULL THEN
    IF left(v_reported, 1) = {separator} THEN
      v_fields := string_to_array(substr(v_reported, 2), {separator}, '');
    ELSE
      v_fields := {schema}.{CONTEXT}(v_reported);
    END IF;
    v_actor_id := left({actor_id}, {name});
    IF {actor_type} IN ('USER', 'SERVICE', 'SYSTEM', 'ANONYMOUS', 'UNKNOWN') THEN
      v_actor_type := {actor_type};
      v_actor_name := {schema}.{SHOWN}({actor_name}, {name});
    ELSIF v_actor_id IS NOT NULL THEN
      v_actor_type := 'USER';
      v_actor_name := {schema}.{SHOWN}({actor_name}, {name});
    END IF;
{texts}    IF {transaction_id} LIKE '________-____-____-____-____________'
      AND translate({transaction_id}, '0123456789abcdefABCDEF-', '') = '' THEN
      v_transaction_id := {transaction_id}::uuid;
    END IF;
    IF {metadata} <> '{{}}' AND left({schema}.{DOCUMENT}({metadata}), 1) = '{{' THEN
      v_metadata := {metadata}::json;
    END IF;
  END IF;
",
        separator = literal(SEPARATOR),
        actor_type = field("v_actor_type"),
        actor_id = field("v_actor_id"),
        actor_name = field("v_actor_name"),
        transaction_id = field("v_transaction_id"),
        metadata = field("v_metadata"),
        name = limits::NAME,
        schema = ident(log_schema),
        texts = texts.concat(),
    )
}

/// The values of a context that is a JSON object; NULL of any other text.
///
/// A block with an exception handler costs a subtransaction, but no transaction id, as nothing is written in it.
pub(super) fn fields() -> String {
    let fields = VARIABLES.map(|variable| match variable.trim_start_matches("v_") {
        "actor_id" => "NULLIF(v_context ->> 'actor_id', '')".to_owned(),
        "metadata" => "CASE jsonb_typeof(v_context -> 'metadata') WHEN 'object' \
             THEN v_context ->> 'metadata' END"
            .to_owned(),
        name => format!("v_context ->> '{name}'"),
    });
    format!(
        "DECLARE
  v_context jsonb;
BEGIN
  v_context := reported::jsonb;
  RETURN ARRAY[{}];
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END",
        fields.join(", ")
    )
}
