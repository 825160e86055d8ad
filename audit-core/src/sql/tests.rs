//! One file, because its cases share how a text is taken apart.

use sea_orm::DatabaseBackend::{MySql, Postgres, Sqlite};
use sea_orm::DbBackend;

use super::parse::understand;
use super::{ConflictAction, Kind, ParsedStatement, Volatility, Write};

const ALL: [DbBackend; 3] = [Postgres, Sqlite, MySql];

/// The classification of a text, in one word.
fn taken_for(backend: DbBackend, sql: &str) -> String {
    match understand(backend, sql) {
        ParsedStatement::Read => "reads".into(),
        ParsedStatement::DdlOrTransaction => "controls".into(),
        ParsedStatement::Unsupported(opaque) => format!("opaque: {}", opaque.why),
        ParsedStatement::Batch(parts) => format!("{} statements", parts.len()),
        ParsedStatement::Write(write) => match &write.kind {
            Kind::Insert(_) => format!("inserts into {}", write.table.table),
            Kind::UpdateOrDelete(change) if change.delete => {
                format!("deletes from {}", write.table.table)
            }
            Kind::UpdateOrDelete(_) => format!("updates {}", write.table.table),
            Kind::Merge(_) => format!("merges into {}", write.table.table),
            Kind::Truncate => format!("empties {}", write.table.table),
        },
    }
}

fn write(backend: DbBackend, sql: &str) -> Box<Write> {
    match understand(backend, sql) {
        ParsedStatement::Write(write) => write,
        other => panic!("{sql} is taken for {other:?}"),
    }
}

#[test]
fn statements_of_seaorm_are_parsed_on_every_database() {
    let quoted = [
        (Postgres, '"', "$1", "$2"),
        (Sqlite, '"', "?", "?"),
        (MySql, '`', "?", "?"),
    ];
    for (backend, q, one, two) in quoted {
        for (sql, taken) in [
            (
                format!("INSERT INTO {q}post{q} ({q}title{q}, {q}qty{q}) VALUES ({one}, {two})"),
                "inserts into post",
            ),
            (
                format!(
                    "UPDATE {q}post{q} SET {q}title{q} = {one} WHERE {q}post{q}.{q}id{q} = {two}"
                ),
                "updates post",
            ),
            (
                format!("DELETE FROM {q}post{q} WHERE {q}post{q}.{q}id{q} IN ({one}, {two})"),
                "deletes from post",
            ),
            (
                format!("SELECT {q}id{q} FROM {q}post{q} LIMIT {one}"),
                "reads",
            ),
        ] {
            assert_eq!(taken_for(backend, &sql), taken, "{sql}");
        }
    }
}

#[test]
fn only_what_is_known_to_write_nothing_reads() {
    for (sql, taken) in [
        ("EXPLAIN DELETE FROM post", "reads"),
        (
            "EXPLAIN ANALYZE DELETE FROM post",
            "opaque: EXPLAIN may run what it explains",
        ),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "reads"),
        (
            "WITH x AS (DELETE FROM post RETURNING id) SELECT * FROM x",
            "opaque: a query in its WITH writes",
        ),
        ("CALL do_things()", "opaque: it may write"),
        (
            "DO $$ BEGIN DELETE FROM post; END $$",
            "opaque: it could not be parsed",
        ),
        ("EXECUTE plan", "opaque: it may write"),
        ("SAVEPOINT a", "controls"),
        ("ROLLBACK TO SAVEPOINT a", "controls"),
        ("COMMIT", "controls"),
        ("CREATE TABLE x (id INT)", "controls"),
        ("SET search_path = x", "reads"),
        ("TRUNCATE post", "empties post"),
        (
            "TRUNCATE post CASCADE",
            "opaque: TRUNCATE .. CASCADE empties tables that it does not name",
        ),
        (
            "COPY post FROM STDIN",
            "opaque: the rows it loads are not in the statement",
        ),
        ("COPY post TO STDOUT", "reads"),
        ("", "reads"),
        ("-- nothing", "reads"),
        ("garbage", "opaque: it could not be parsed"),
        ("SELECT 1; DELETE FROM post", "2 statements"),
        ("SELECT 1; SELECT 2;", "reads"),
    ] {
        assert_eq!(taken_for(Postgres, sql), taken, "{sql}");
    }
    assert_eq!(
        taken_for(MySql, "DELETE /*! FROM post */"),
        "opaque: it has an executable comment"
    );
    assert_eq!(
        taken_for(MySql, "TRUNCATE post"),
        "opaque: TRUNCATE commits the transaction it is in"
    );
    assert_eq!(
        taken_for(MySql, "REPLACE INTO post VALUES (1)"),
        "inserts into post"
    );
    assert_eq!(
        taken_for(
            MySql,
            "UPDATE post JOIN other ON post.id = other.id SET other.x = 1"
        ),
        "opaque: it writes a join"
    );
    assert_eq!(
        taken_for(
            MySql,
            "DELETE post FROM post JOIN other ON post.id = other.id"
        ),
        "opaque: it deletes from a join"
    );
}

fn volatility(backend: DbBackend, filter: &str) -> Volatility {
    let write = write(backend, &format!("UPDATE post SET qty = 1 WHERE {filter}"));
    match &write.kind {
        Kind::UpdateOrDelete(change) => change.volatility,
        _ => Volatility::Volatile,
    }
}

#[test]
fn volatility_of_conditions_is_known() {
    for backend in ALL {
        for filter in [
            "id = 1",
            "title LIKE 'a%' AND (qty BETWEEN 1 AND 5 OR body IS NULL)",
            "LOWER(title) = 'random()'",
            "id IN (1, 2, 3)",
            "COALESCE(qty, 0) + ABS(id) > 7",
            "qty < now()",
            "at < CURRENT_TIMESTAMP",
            "id IN (SELECT id FROM other)",
            "EXISTS (SELECT 1 FROM other AS o (a, b) WHERE o.a = post.id)",
            "qty > (SELECT AVG(qty) FROM post)",
        ] {
            assert_eq!(volatility(backend, filter), Volatility::Stable, "{filter}");
        }
        for filter in [
            "random() < 0.5",
            "my_function(id)",
            "nextval('s') > 3",
            "own.lower(a) = b",
        ] {
            assert_eq!(
                volatility(backend, filter),
                Volatility::Volatile,
                "{filter}"
            );
        }
        let limited = "id IN (SELECT id FROM other LIMIT 3)";
        assert_eq!(volatility(backend, limited), Volatility::Unordered);
    }
    for filter in [
        "\"Random\"() > 1",
        "id IN (SELECT id FROM post LIMIT 1 FOR UPDATE SKIP LOCKED)",
        "id IN (SELECT id FROM post FOR SHARE)",
    ] {
        assert_eq!(
            volatility(Postgres, filter),
            Volatility::Volatile,
            "{filter}"
        );
    }
    assert_eq!(volatility(MySql, "(@x := id) > 3"), Volatility::Volatile);
    // MySQL's clock, which advances while a statement runs.
    assert_eq!(volatility(MySql, "at < SYSDATE(6)"), Volatility::Volatile);
}

#[test]
fn modifiers_before_a_table_are_not_taken_for_it() {
    assert_eq!(
        taken_for(Postgres, "UPDATE ONLY post SET qty = 1"),
        "opaque: it has a modifier before its table"
    );
    assert_eq!(
        taken_for(Postgres, "DELETE FROM ONLY post"),
        "opaque: it has a modifier before its table"
    );
}

#[test]
fn subscripts_of_assigned_columns_are_understood() {
    for sql in [
        "UPDATE post SET data['k'] = '1', tags[2] = 'x' WHERE tags[1] = 'y'",
        "UPDATE post SET data['a']['b'] = data['c'], qty = 3",
    ] {
        assert_eq!(taken_for(Postgres, sql), "updates post", "{sql}");
    }
    match write(Postgres, "UPDATE post SET data['k'] = '1', tags[2] = 'x'").kind {
        Kind::UpdateOrDelete(change) => assert_eq!(change.assigned, ["data", "tags"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn empty_statements_are_left_to_mysql() {
    for sql in [
        "DELETE FROM post;; DELETE FROM post",
        "DELETE FROM post;;",
        "; DELETE FROM post",
    ] {
        assert_eq!(
            taken_for(MySql, sql),
            "opaque: it has an empty statement",
            "{sql}"
        );
    }
    assert_eq!(taken_for(MySql, "DELETE FROM post;"), "deletes from post");
    assert_eq!(
        taken_for(Postgres, "DELETE FROM post;;"),
        "deletes from post"
    );
}

#[test]
fn delete_of_one_table_by_its_alias_is_understood() {
    assert_eq!(
        taken_for(MySql, "DELETE a FROM post a WHERE a.id = 1"),
        "deletes from post"
    );
}

#[test]
fn names_are_read_as_the_database_reads_them() {
    assert_eq!(write(Postgres, "DELETE FROM Post").table.table, "post");
    assert_eq!(write(Postgres, "DELETE FROM \"Post\"").table.table, "Post");
    assert_eq!(write(MySql, "DELETE FROM `a``b`").table.table, "a`b");
    let qualified = write(Postgres, "DELETE FROM audit.\"Post\" AS p WHERE p.id = 1");
    assert_eq!(qualified.table.schema.as_deref(), Some("audit"));
    assert_eq!(qualified.qualifier, "p");
}

#[test]
fn comparison_of_the_key_alone_is_known() {
    let equalities = |filter: &str| {
        let write = write(Sqlite, &format!("DELETE FROM post WHERE {filter}"));
        match write.kind {
            Kind::UpdateOrDelete(change) => change.equalities,
            _ => Vec::new(),
        }
    };
    assert_eq!(equalities("post.id = ? AND (qty = 3)"), ["id", "qty"]);
    assert_eq!(equalities("id IN (?)"), ["id"]);
    for filter in [
        "id = ? OR qty = 3",
        "id > ?",
        "id = qty",
        "id IN (1, 2)",
        "id = NULL",
        "NOT id = 1",
    ] {
        assert_eq!(equalities(filter), [""; 0], "{filter}");
    }
}

#[test]
fn conflict_clause_is_known_for_what_it_does() {
    for (backend, sql, action) in [
        (
            Postgres,
            "INSERT INTO post (id) VALUES (1) ON CONFLICT DO NOTHING",
            ConflictAction::Nothing,
        ),
        (
            Postgres,
            "INSERT INTO post (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET qty = 1",
            ConflictAction::Update,
        ),
        (
            MySql,
            "INSERT INTO post (id) VALUES (1) ON DUPLICATE KEY UPDATE qty = 1",
            ConflictAction::Update,
        ),
        (
            MySql,
            "INSERT IGNORE INTO post (id) VALUES (1)",
            ConflictAction::Nothing,
        ),
        (
            MySql,
            "REPLACE INTO post (id) VALUES (1)",
            ConflictAction::Replace,
        ),
        (
            Sqlite,
            "INSERT OR REPLACE INTO post (id) VALUES (1)",
            ConflictAction::Replace,
        ),
        (
            Sqlite,
            "INSERT OR IGNORE INTO post (id) VALUES (1)",
            ConflictAction::Nothing,
        ),
    ] {
        match &write(backend, sql).kind {
            Kind::Insert(insert) => {
                assert_eq!(
                    insert.conflict.as_ref().map(|c| c.action),
                    Some(action),
                    "{sql}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn returned_columns_are_known_by_name() {
    let returning = write(
        Postgres,
        "DELETE FROM post RETURNING id, CAST(\"tea\" AS \"text\"), upper(title) AS title, qty AS amount",
    )
    .returning;
    assert!(returning.has("id", None, None));
    assert!(returning.has("tea", Some("CAST(\"tea\" AS \"text\")"), None));
    for (column, cast) in [
        ("id", Some("CAST(id AS text)")),
        ("tea", None),
        ("tea", Some("CAST(\"tea\" AS integer)")),
        ("title", None),
        ("qty", None),
    ] {
        assert!(!returning.has(column, cast, None), "{column}");
    }
    let swapped = write(
        Postgres,
        "DELETE FROM post RETURNING id AS qty, qty AS id, title",
    )
    .returning;
    assert!(!swapped.has("id", None, None) && !swapped.has("qty", None, None));
    // An expression without alias may have any name.
    let unnamed = write(Postgres, "DELETE FROM post RETURNING id, id + 1").returning;
    assert!(!unnamed.has("id", None, None));
    assert!(
        write(Postgres, "DELETE FROM post RETURNING *")
            .returning
            .has("anything", None, None)
    );
}

#[test]
fn outline_has_no_literal() {
    for backend in ALL {
        let outline = super::outline_of(
            backend,
            "UPDATE users SET password = 'hunter2', pin = 1234 WHERE name = 'ann' -- hunter2",
        );
        assert!(outline.contains("password"), "{outline}");
        for secret in ["hunter2", "1234", "ann"] {
            assert!(!outline.contains(secret), "{outline}");
        }
    }
}

#[test]
fn long_chain_of_conditions_is_understood() {
    let chain: Vec<String> = (0..9_000).map(|n| format!("qty = {n}")).collect();
    let sql = format!("DELETE FROM post WHERE {}", chain.join(" OR "));
    assert_eq!(taken_for(Postgres, &sql), "deletes from post");
    let chain: Vec<String> = (0..11_000).map(|n| format!("qty = {n}")).collect();
    let sql = format!("DELETE FROM post WHERE {}", chain.join(" OR "));
    assert_eq!(taken_for(Postgres, &sql), "opaque: it is nested too deep");
    let nested = format!(
        "DELETE FROM post WHERE {}1{}",
        "(".repeat(5_000),
        ")".repeat(5_000)
    );
    assert!(
        taken_for(Postgres, &nested).starts_with("opaque"),
        "refused, not overflowed"
    );
}

#[test]
fn insert_of_many_rows_is_no_deep_statement() {
    let rows: Vec<&str> = std::iter::repeat_n("(?, ?, CAST(? AS CHAR), ?)", 5_000).collect();
    let sql = format!("INSERT INTO post (a, b, c, d) VALUES {}", rows.join(", "));
    assert_eq!(taken_for(MySql, &sql), "inserts into post");
}

#[test]
fn texts_that_cannot_write_are_read_though_the_parser_does_not_know_them() {
    let search = "WITH RECURSIVE t (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM t WHERE id < 3) \
         SEARCH DEPTH FIRST BY id SET ordercol SELECT * FROM t ORDER BY ordercol";
    let cycle = "WITH RECURSIVE t AS (SELECT 1 AS id UNION ALL SELECT id FROM t) \
         SEARCH BREADTH FIRST BY id SET o CYCLE id SET is_cycle USING path, u AS (SELECT 2) SELECT * FROM t, u";
    for (backend, sql, taken) in [
        (Postgres, search, "reads"),
        (Postgres, cycle, "reads"),
        (
            MySql,
            "WITH RECURSIVE t AS (SELECT 1 AS id UNION SELECT id FROM t) CYCLE id RESTRICT SELECT * FROM t",
            "reads",
        ),
        (Postgres, "SET CONSTRAINTS ALL DEFERRED", "reads"),
        (
            Postgres,
            "/* app */ set constraints a, b immediate;",
            "reads",
        ),
        (
            Postgres,
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "reads",
        ),
        (MySql, "SHOW ENGINE INNODB STATUS", "reads"),
        (MySql, "SHOW MASTER STATUS", "reads"),
        (
            Postgres,
            "SET CONSTRAINTS ALL DEFERRED; DELETE FROM t",
            "opaque: it could not be parsed",
        ),
        (
            Postgres,
            "WITH RECURSIVE t AS (SELECT 1) SEARCH DEPTH FIRST BY id SET o DELETE FROM u",
            "opaque: it could not be parsed",
        ),
        (
            Postgres,
            "WITH t AS (DELETE FROM u RETURNING id) CYCLE id SET c USING p SELECT * FROM t",
            "opaque: it could not be parsed",
        ),
        (
            MySql,
            "SET STATEMENT max_statement_time = 1 FOR DELETE FROM t",
            "opaque: it could not be parsed",
        ),
        (
            MySql,
            "DESCRIBE ANALYZE nonsense DELETE",
            "opaque: it could not be parsed",
        ),
    ] {
        assert_eq!(taken_for(backend, sql), taken, "{sql}");
    }
}
