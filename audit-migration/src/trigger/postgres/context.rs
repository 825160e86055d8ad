//! Who did it, from where and why: the transaction's setting `sea_orm_audit.context`.
//!
//! The setting is a JSON object, local to the transaction; after a savepoint's rollback it is the
//! empty text. Its values are cut to the columns' lengths, and unreadable ones are left out: other programs may write
//! it, and no write fails for it.

use sea_orm_audit_core::limits;

use super::quote::ident;
use super::shared_functions::{DOCUMENT, SHOWN};

/// The columns of the log that the context fills, and the longest text that they hold.
const TEXTS: [(&str, Option<u32>); 8] = [
    ("impersonator_id", Some(limits::NAME)),
    ("ip_address", Some(limits::ADDRESS)),
    ("user_agent", None),
    ("session_key", Some(limits::DIGEST)),
    ("request_id", Some(limits::NAME)),
    ("trace_id", Some(limits::NAME)),
    ("tenant", Some(limits::NAME)),
    ("reason", None),
];

/// The variables that hold it, in the order of [`VARIABLES`].
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

/// The declarations, and the statements that read the context where there is one.
///
/// A block with an exception handler costs a subtransaction, but no transaction id, as nothing is written in it.
/// Variables keep what they got before the error: a `transaction_id` that is no UUID leaves the rest.
pub(super) fn read(log_schema: &str) -> String {
    let texts = TEXTS.map(|(name, limit)| {
        let text = format!("v_context ->> '{name}'");
        let text = limit.map_or(text.clone(), |limit| format!("left({text}, {limit})"));
        format!("    v_{name} := {text};\n")
    });
    format!(
        "DECLARE
  v_reported text := NULLIF(current_setting('sea_orm_audit.context', true), '');
  v_context jsonb;
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
  v_metadata jsonb;
BEGIN
  IF v_reported IS NOT NULL THEN
    BEGIN
      v_context := v_reported::jsonb;
      v_transaction_id := (v_context ->> 'transaction_id')::uuid;
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
    v_actor_id := left(NULLIF(v_context ->> 'actor_id', ''), {name});
    IF v_context ->> 'actor_type' IN ('USER', 'SERVICE', 'SYSTEM', 'ANONYMOUS', 'UNKNOWN') THEN
      v_actor_type := v_context ->> 'actor_type';
      v_actor_name := {schema}.{SHOWN}(v_context ->> 'actor_name', {name});
    ELSIF v_actor_id IS NOT NULL THEN
      v_actor_type := 'USER';
      v_actor_name := {schema}.{SHOWN}(v_context ->> 'actor_name', {name});
    END IF;
{texts}    v_module := left(v_context ->> 'module', {name});
    v_metadata := NULLIF(CASE jsonb_typeof(v_context -> 'metadata') WHEN 'object' \
         THEN v_context -> 'metadata' END, '{{}}'::jsonb);
    IF {schema}.{DOCUMENT}(v_metadata::text) <> v_metadata::text THEN
      v_metadata := NULL;
    END IF;
  END IF;
",
        name = limits::NAME,
        schema = ident(log_schema),
        texts = texts.concat(),
    )
}
