use super::*;

const ALL: [DbBackend; 3] = [DbBackend::Postgres, DbBackend::MySql, DbBackend::Sqlite];

/// Whether a body may write `book`.
fn writes_book(backend: DbBackend, text: &str) -> bool {
    let text = match backend {
        DbBackend::Sqlite => {
            format!("CREATE TRIGGER t AFTER UPDATE OF book ON book BEGIN {text} END")
        }
        _ => format!("BEGIN {text} END"),
    };
    let body = Body::read(backend, &text, "");
    body.writes.iter().any(|name| name.name == "book")
}

#[test]
fn each_form_of_write_is_found() {
    for backend in ALL {
        for text in [
            "INSERT INTO book (id) VALUES (1);",
            "INSERT INTO book VALUES (1);",
            "insert into shop.book select 1;",
            "UPDATE book SET n = n + 1 WHERE id = NEW.id;",
            "UPDATE /* all */ book AS b SET n = 1;",
            "DELETE FROM book;",
            "DELETE FROM shop.book WHERE id = 1;",
            "INSERT INTO other SELECT 1; DELETE FROM book;",
        ] {
            assert!(writes_book(backend, text), "{backend:?}: {text}");
        }
    }
    for (backend, text) in [
        (DbBackend::Postgres, "INSERT INTO BOOK VALUES (1);"),
        (DbBackend::Postgres, "UPDATE ONLY \"book\" SET n = 1;"),
        (DbBackend::Postgres, "TRUNCATE other, book;"),
        (
            DbBackend::Postgres,
            "MERGE INTO book b USING other ON true;",
        ),
        (
            DbBackend::Postgres,
            "WITH x AS (DELETE FROM book RETURNING 1) SELECT 1;",
        ),
        (
            DbBackend::Postgres,
            "EXECUTE format('DELETE FROM %I', 'book');",
        ),
        (
            DbBackend::Postgres,
            "EXECUTE 'DELETE FROM book WHERE id = $1' USING NEW.id;",
        ),
        (DbBackend::MySql, "REPLACE `book` VALUES (1);"),
        (
            DbBackend::MySql,
            "INSERT IGNORE INTO `shop`.`book` SET n = 1;",
        ),
        (
            DbBackend::MySql,
            "UPDATE other o JOIN book b ON o.id = b.id SET b.n = 1;",
        ),
        (
            DbBackend::MySql,
            "DELETE b FROM other o JOIN book b ON o.id = b.id WHERE o.n = 1;",
        ),
        (DbBackend::MySql, "DELETE FROM \"book\";"),
        (
            DbBackend::Sqlite,
            "INSERT OR REPLACE INTO [book] VALUES (1);",
        ),
        (DbBackend::Sqlite, "UPDATE OR IGNORE 'book' SET n = 1;"),
        (DbBackend::Sqlite, "REPLACE INTO \"book\" DEFAULT VALUES;"),
    ] {
        assert!(writes_book(backend, text), "{backend:?}: {text}");
    }
}

#[test]
fn keyword_that_names_a_table_is_found() {
    for text in [
        "UPDATE set SET n = 1;",
        "UPDATE ONLY set SET n = 1;",
        "INSERT INTO set VALUES (1);",
        "DELETE FROM set USING other;",
        "TRUNCATE TABLE set;",
    ] {
        let body = Body::read(DbBackend::Postgres, text, "");
        assert!(body.writes.iter().any(|name| name.name == "set"), "{text}");
    }
    let merged = "MERGE INTO other USING book ON true WHEN MATCHED THEN UPDATE SET n = book.n;";
    let body = Body::read(DbBackend::Postgres, merged, "");
    assert!(
        !body.writes.iter().any(|name| name.name == "book"),
        "{body:?}"
    );
}

#[test]
fn reads_are_no_writes() {
    for backend in ALL {
        for text in [
            "INSERT INTO other SELECT count(*) FROM book;",
            "INSERT INTO other (n) VALUES ((SELECT max(id) FROM book));",
            "UPDATE other SET n = (SELECT count(*) FROM book) WHERE id = 1;",
            "DELETE FROM other WHERE id IN (SELECT id FROM book);",
            "SELECT id FROM book;",
            "SELECT 'DELETE FROM book';",
            "-- DELETE FROM book\n SELECT 1;",
        ] {
            assert!(!writes_book(backend, text), "{backend:?}: {text}");
        }
    }
    for (backend, text) in [
        (
            DbBackend::Postgres,
            "PERFORM 1 FROM other FOR UPDATE OF book;",
        ),
        (
            DbBackend::Postgres,
            "DELETE FROM other USING book WHERE book.id = other.id;",
        ),
        (
            DbBackend::Postgres,
            "IF TG_OP = 'DELETE' THEN SELECT n INTO v FROM book; END IF;",
        ),
        (
            DbBackend::Postgres,
            "v := replace(v, 'a', (SELECT name FROM book));",
        ),
        (
            DbBackend::MySql,
            "SET NEW.n = INSERT('a', 1, 1, (SELECT name FROM book));",
        ),
        (
            DbBackend::MySql,
            "INSERT INTO other VALUES (1) ON DUPLICATE KEY UPDATE n = (SELECT n FROM book);",
        ),
    ] {
        assert!(!writes_book(backend, text), "{backend:?}: {text}");
    }
}

#[test]
fn composed_statement_may_write_each_table_that_is_named() {
    let read = |text: &str, arguments: &str| {
        let body = Body::read(DbBackend::Postgres, text, arguments);
        let names = body.writes.into_iter().map(|name| name.name);
        names.collect::<Vec<_>>()
    };
    let composed = "BEGIN EXECUTE format('DELETE FROM %I', TG_ARGV[0]); END";
    assert!(read(composed, "book\\000title\\000").contains(&"book".to_owned()));
    assert!(read(composed, "odd \"name\"").contains(&"odd \"name\"".to_owned()));
    assert_eq!(read("BEGIN RETURN NEW; END", "book"), [""; 0]);
    // A quote that does not end.
    assert!(read("BEGIN 'DELETE FROM book", "").contains(&"book".to_owned()));
}

#[test]
fn calls_are_found() {
    let calls = |backend: DbBackend, text: &str| {
        let body = Body::read(backend, text, "");
        let names = body.calls.into_iter().map(|call| match call.schema {
            Some(schema) => format!("{schema}.{}", call.name),
            None => call.name,
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        calls(
            DbBackend::Postgres,
            "PERFORM Shop.Count_books(1); CALL \"Do it\"();"
        ),
        ["shop.count_books", "Do it"]
    );
    assert!(
        calls(DbBackend::Postgres, "EXECUTE 'SELECT add_book()';").contains(&"add_book".to_owned())
    );
    assert_eq!(
        calls(DbBackend::MySql, "CALL count_books; SET @n = `shop`.f(1);"),
        ["count_books", "shop.f"]
    );
}
