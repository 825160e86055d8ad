//! What a record says of one field, read from the JSON of its changes.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{DbBackend, IntoSimpleExpr};

use super::storable;
use crate::entity::audit_log::Column as C;

/// Whether a field is among the changes.
pub(crate) fn changed(field: &str, backend: DbBackend) -> Expr {
    match backend {
        DbBackend::Postgres => {
            Expr::cust_with_exprs("($1 -> $2) IS NOT NULL", [changes(), Expr::val(field)])
        }
        DbBackend::MySql => Expr::cust_with_exprs(
            "JSON_CONTAINS_PATH(?, 'one', ?)",
            [changes(), Expr::val(path(&[field]))],
        ),
        _ => Expr::cust_with_exprs(
            "EXISTS (SELECT 1 FROM json_each(?) AS field WHERE field.key = ?)",
            [changes(), Expr::val(field)],
        ),
    }
}

/// Whether the text of a field's old or new value is one of these: a string as it is, other values as JSON.
pub(super) fn is_one_of(field: &str, part: &str, values: &[String], backend: DbBackend) -> Expr {
    let fields = [field.to_owned()];
    let values = storable(values, backend);
    let (Some(field), false) = (storable(&fields, backend).pop(), values.is_empty()) else {
        return Expr::cust("1 = 0");
    };
    match backend {
        DbBackend::Postgres => {
            // A JSON null has no text.
            let sql = format!(
                "CASE json_typeof($1 -> $2 -> '{part}') WHEN 'null' THEN 'null' ELSE $3 -> $4 ->> '{part}' END"
            );
            let places = [changes(), Expr::val(field), changes(), Expr::val(field)];
            Expr::cust_with_exprs(sql, places).is_in(values)
        }
        DbBackend::MySql => {
            // As bytes, since the collation of a JSON text ignores case.
            let text = Expr::cust_with_exprs(
                "CAST(JSON_UNQUOTE(JSON_EXTRACT(?, ?)) AS BINARY)",
                [changes(), Expr::val(path(&[field, part]))],
            );
            let bytes = |value: &str| Expr::cust_with_values("CAST(? AS BINARY)", [value]);
            text.is_in(values.into_iter().map(bytes))
        }
        _ => {
            let marks = vec!["?"; values.len()].join(", ");
            let sql = format!(
                "EXISTS (SELECT 1 FROM json_each(?) AS field WHERE field.key = ? AND \
                 CASE json_type(field.value, '$.{part}') WHEN 'text' THEN json_extract(field.value, '$.{part}') \
                 ELSE field.value -> '$.{part}' END IN ({marks}))"
            );
            let places = [changes(), Expr::val(field)];
            Expr::cust_with_exprs(
                sql,
                places.into_iter().chain(values.into_iter().map(Expr::val)),
            )
        }
    }
}

fn changes() -> Expr {
    Expr::expr(C::Changes.into_simple_expr())
}

/// A path of MySQL and MariaDB.
fn path(names: &[&str]) -> String {
    let mut path = String::from("$");
    for name in names {
        path.push_str(".\"");
        for c in name.chars() {
            if matches!(c, '"' | '\\') {
                path.push('\\');
            }
            path.push(c);
        }
        path.push('"');
    }
    path
}
