//! Shortens long INSERTs: all rows of VALUES except the first are removed.
//!
//! Each number of rows makes its own text, which would be parsed and cached for nothing: the first row shows what an
//! INSERT without conflict clause does.

use std::borrow::Cow;

use sea_orm::DbBackend;

/// Shorter texts are parsed as they are, in bytes.
const SHORT: usize = 2048;

/// The text with one row if that is equivalent; else the text itself.
pub(super) fn shorten(backend: DbBackend, sql: &str) -> Cow<'_, str> {
    // The keys of the rows are looked up in the statement on MySQL.
    if sql.len() <= SHORT || backend == DbBackend::MySql {
        return Cow::Borrowed(sql);
    }
    one_row(sql).map_or(Cow::Borrowed(sql), Cow::Owned)
}

fn one_row(sql: &str) -> Option<String> {
    const VALUES: &str = " VALUES (";
    if !sql.get(..12)?.eq_ignore_ascii_case("INSERT INTO ") {
        return None;
    }
    let head = sql.find(VALUES)?;
    // Nothing in the head may hide a VALUES: SeaORM puts only quoted names there.
    if sql[..head].contains(['\'', '$', '?', ';', '/', '-', '#']) {
        return None;
    }
    let rows = head + VALUES.len() - 1;
    let (mut depth, mut first_end, mut tail) = (0_usize, None, sql.len());
    let mut in_name = false;
    for (at, byte) in sql.bytes().enumerate().skip(rows) {
        match byte {
            b'"' => in_name = !in_name,
            _ if in_name => {}
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    first_end.get_or_insert(at + 1);
                    tail = at + 1;
                }
            }
            b',' | b' ' => {}
            // Rows have nothing else between them: here they end.
            _ if depth == 0 => break,
            b'$' | b'?' | b'.' | b'_' | b':' => {}
            byte if byte.is_ascii_alphanumeric() => {}
            // A literal, a comment, an operator: the parser handles it.
            _ => return None,
        }
    }
    let end = first_end?;
    let rest = sql.get(tail..)?;
    // The rest must mean the same without the rows.
    let returning = rest.trim_start();
    let known = returning.is_empty()
        || returning
            .get(..10)
            .is_some_and(|word| word.eq_ignore_ascii_case("RETURNING "));
    if depth != 0 || in_name || !known || rest.contains(['$', '?', ';', '\'']) {
        return None;
    }
    Some(format!("{}{rest}", &sql[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(rows: usize, tail: &str) -> String {
        let rows: Vec<String> = (0..rows)
            .map(|row| {
                format!(
                    "(${}, CAST(${} AS \"a)b\"), DEFAULT)",
                    row * 2 + 1,
                    row * 2 + 2
                )
            })
            .collect();
        format!(
            "INSERT INTO \"post\" (\"a\", \"b\", \"c\") VALUES {}{tail}",
            rows.join(", ")
        )
    }

    #[test]
    fn rows_are_left_out_but_for_the_first() {
        for tail in ["", " RETURNING \"a\", \"b\""] {
            let short = shorten(DbBackend::Postgres, &insert(500, tail)).into_owned();
            assert_eq!(short, insert(1, tail));
        }
    }

    #[test]
    fn insert_with_more_than_values_is_unchanged() {
        let long = |sql: String| assert_eq!(shorten(DbBackend::Postgres, &sql), sql);
        long(insert(500, " ON CONFLICT (\"a\") DO UPDATE SET \"b\" = 1"));
        long(insert(500, "; DELETE FROM post"));
        long(insert(500, " RETURNING $1001"));
        long(insert(500, "").replace("DEFAULT", "'('"));
        long(insert(500, "").replace("DEFAULT", "1 -- )\n"));
        long(insert(500, "").replace("DEFAULT", "random()-1"));
        long(format!(
            "INSERT INTO x SELECT ' VALUES (' {}",
            " ".repeat(3000)
        ));
        let sql = insert(500, "").replace('$', "?");
        assert_eq!(shorten(DbBackend::MySql, &sql), sql);
    }
}
