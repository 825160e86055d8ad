//! The tables of a database, their first rows, and the reset to these.

use sea_orm::DbBackend;

use crate::tables::{Kind, TABLES, Table};

const SQLITE: &str = "
CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, name TEXT DEFAULT 'none',
    n INTEGER NOT NULL DEFAULT 0, p DOUBLE NOT NULL DEFAULT 1.5, flag BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE pair (a INTEGER NOT NULL, b INTEGER NOT NULL, note TEXT, n INTEGER DEFAULT 0,
    PRIMARY KEY (a, b), UNIQUE (note, n));
CREATE TABLE label (name TEXT NOT NULL PRIMARY KEY, score INTEGER NOT NULL DEFAULT 1, note TEXT,
    CONSTRAINT label_score CHECK (score >= 0));
CREATE TABLE acct (id TEXT NOT NULL PRIMARY KEY, k BIGINT, email TEXT NOT NULL,
    n INTEGER NOT NULL DEFAULT 7, CONSTRAINT acct_email UNIQUE (email));
CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE,
    friend_id INTEGER REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE tree (id INTEGER NOT NULL PRIMARY KEY,
    up_id INTEGER REFERENCES tree (id) ON DELETE CASCADE, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE seen (id INTEGER PRIMARY KEY AUTOINCREMENT, shop_id INTEGER, n INTEGER);
CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,
    n INTEGER NOT NULL DEFAULT 0, stamp INTEGER NOT NULL DEFAULT 0);
CREATE TRIGGER shop_bi BEFORE INSERT ON shop WHEN NEW.n = 666
    BEGIN SELECT RAISE(ABORT, 'no such number'); END;
CREATE TRIGGER shop_ai AFTER INSERT ON shop BEGIN
    INSERT INTO seen (shop_id, n) VALUES (NEW.id, NEW.n);
    UPDATE shop SET title = upper(title), stamp = n + 1000 WHERE id = NEW.id; END;
CREATE TRIGGER shop_au AFTER UPDATE OF n ON shop BEGIN
    INSERT INTO seen (shop_id, n) VALUES (NEW.id, NEW.n);
    UPDATE shop SET stamp = n + 2000 WHERE id = NEW.id; END;
CREATE TRIGGER shop_bd BEFORE DELETE ON shop WHEN OLD.n = 5
    BEGIN SELECT RAISE(IGNORE); END;
CREATE TABLE calc (id INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER NOT NULL, b INTEGER,
    total INTEGER GENERATED ALWAYS AS (a + b) STORED, name TEXT NOT NULL UNIQUE);
CREATE TABLE long_table_name_that_has_sixty_three_bytes_as_postgresql_allows (
    long_key_column_name_that_has_sixty_three_bytes_as_pg_allows_it INTEGER NOT NULL PRIMARY KEY,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_1 INTEGER,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_2 TEXT UNIQUE);
CREATE TABLE wide (id INTEGER NOT NULL PRIMARY KEY, small SMALLINT, big BIGINT, single FLOAT, twofold DOUBLE,
    exact REAL, t TEXT, bytes BLOB, day DATE_TEXT, at DATETIME_TEXT,
    zoned TIMESTAMP_WITH_TIMEZONE_TEXT, j JSON_TEXT, u UUID_TEXT);
";

const POSTGRES: &str = "
CREATE TABLE item (id SERIAL PRIMARY KEY, code VARCHAR(40) UNIQUE, name VARCHAR(40) DEFAULT 'none',
    n INTEGER NOT NULL DEFAULT 0, p DOUBLE PRECISION NOT NULL DEFAULT 1.5, flag BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE pair (a INTEGER NOT NULL, b INTEGER NOT NULL, note VARCHAR(40), n INTEGER DEFAULT 0,
    PRIMARY KEY (a, b), UNIQUE (note, n));
CREATE TABLE label (name VARCHAR(40) NOT NULL PRIMARY KEY, score INTEGER NOT NULL DEFAULT 1, note VARCHAR(40),
    CONSTRAINT label_score CHECK (score >= 0));
CREATE TABLE acct (id VARCHAR(40) NOT NULL PRIMARY KEY, k BIGINT, email VARCHAR(40) NOT NULL,
    n INTEGER NOT NULL DEFAULT 7, CONSTRAINT acct_email UNIQUE (email));
CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40) NOT NULL);
CREATE TABLE child (id SERIAL PRIMARY KEY,
    parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE,
    friend_id INTEGER REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE tree (id INTEGER NOT NULL PRIMARY KEY,
    up_id INTEGER REFERENCES tree (id) ON DELETE CASCADE, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE seen (id SERIAL PRIMARY KEY, shop_id INTEGER, n INTEGER);
CREATE TABLE shop (id SERIAL PRIMARY KEY, title VARCHAR(40) NOT NULL,
    n INTEGER NOT NULL DEFAULT 0, stamp INTEGER NOT NULL DEFAULT 0);
CREATE FUNCTION shop_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN IF OLD.n = 5 THEN RETURN NULL; END IF; RETURN OLD; END IF;
    IF NEW.n = 666 THEN RAISE EXCEPTION 'no such number'; END IF;
    IF NEW.n = 667 THEN RETURN NULL; END IF;
    IF TG_OP = 'INSERT' THEN NEW.title = upper(NEW.title); END IF;
    RETURN NEW; END $$;
CREATE FUNCTION shop_after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'UPDATE' AND NEW.n = OLD.n THEN RETURN NULL; END IF;
    INSERT INTO seen (shop_id, n) VALUES (NEW.id, NEW.n);
    UPDATE shop SET stamp = n + 1000 WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER shop_b BEFORE INSERT OR UPDATE OR DELETE ON shop FOR EACH ROW EXECUTE FUNCTION shop_before();
CREATE TRIGGER shop_a AFTER INSERT OR UPDATE ON shop FOR EACH ROW EXECUTE FUNCTION shop_after();
CREATE TABLE calc (id SERIAL PRIMARY KEY, a INTEGER NOT NULL, b INTEGER,
    total INTEGER GENERATED ALWAYS AS (a + b) STORED, name VARCHAR(40) NOT NULL UNIQUE);
CREATE TABLE long_table_name_that_has_sixty_three_bytes_as_postgresql_allows (
    long_key_column_name_that_has_sixty_three_bytes_as_pg_allows_it INTEGER NOT NULL PRIMARY KEY,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_1 INTEGER,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_2 VARCHAR(40) UNIQUE);
CREATE TABLE wide (id INTEGER NOT NULL PRIMARY KEY, small SMALLINT, big BIGINT, single REAL,
    twofold DOUBLE PRECISION, exact NUMERIC(12, 4), t TEXT, bytes BYTEA, day DATE, at TIMESTAMP,
    zoned TIMESTAMPTZ, j JSONB, u UUID);
-- Autovacuum locks a table while it gives the last pages back, and another client waits a few milliseconds alone.
DO $$ DECLARE name TEXT; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER TABLE %I SET (vacuum_truncate = false)', name);
    END LOOP; END $$;
";

const MARIADB: &str = "
CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(40) UNIQUE, name VARCHAR(40) DEFAULT 'none',
    n INT NOT NULL DEFAULT 0, p DOUBLE NOT NULL DEFAULT 1.5, flag BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE pair (a INT NOT NULL, b INT NOT NULL, note VARCHAR(40), n INT DEFAULT 0,
    PRIMARY KEY (a, b), UNIQUE (note, n));
CREATE TABLE label (name VARCHAR(40) NOT NULL PRIMARY KEY, score INT NOT NULL DEFAULT 1, note VARCHAR(40),
    CONSTRAINT label_score CHECK (score >= 0));
CREATE TABLE acct (id VARCHAR(40) NOT NULL PRIMARY KEY, k BIGINT, email VARCHAR(40) NOT NULL,
    n INT NOT NULL DEFAULT 7, CONSTRAINT acct_email UNIQUE (email));
CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, title VARCHAR(40) NOT NULL);
CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, parent_id INT, friend_id INT, n INT NOT NULL DEFAULT 0,
    FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE,
    FOREIGN KEY (friend_id) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE tree (id INT NOT NULL PRIMARY KEY, up_id INT, n INT NOT NULL DEFAULT 0,
    FOREIGN KEY (up_id) REFERENCES tree (id) ON DELETE CASCADE);
CREATE TABLE seen (id INT AUTO_INCREMENT PRIMARY KEY, shop_id INT, n INT);
CREATE TABLE shop (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(40) NOT NULL,
    n INT NOT NULL DEFAULT 0, stamp INT NOT NULL DEFAULT 0);
CREATE TRIGGER shop_bi BEFORE INSERT ON shop FOR EACH ROW BEGIN
    IF NEW.n = 666 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such number'; END IF;
    SET NEW.title = UPPER(NEW.title), NEW.stamp = NEW.n + 1000; END;
CREATE TRIGGER shop_bu BEFORE UPDATE ON shop FOR EACH ROW BEGIN
    IF NEW.n = 666 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such number'; END IF;
    SET NEW.stamp = NEW.n + 2000; END;
CREATE TRIGGER shop_ai AFTER INSERT ON shop FOR EACH ROW INSERT INTO seen (shop_id, n) VALUES (NEW.id, NEW.n);
CREATE TRIGGER shop_au AFTER UPDATE ON shop FOR EACH ROW INSERT INTO seen (shop_id, n) VALUES (NEW.id, NEW.n);
CREATE TABLE calc (id INT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b INT,
    total INT GENERATED ALWAYS AS (a + b) STORED, name VARCHAR(40) NOT NULL UNIQUE);
CREATE TABLE long_table_name_that_has_sixty_three_bytes_as_postgresql_allows (
    long_key_column_name_that_has_sixty_three_bytes_as_pg_allows_it INT NOT NULL PRIMARY KEY,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_1 INT,
    long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_2 VARCHAR(40) UNIQUE);
CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, small SMALLINT, big BIGINT, single FLOAT, twofold DOUBLE,
    exact DECIMAL(12, 4), t TEXT, bytes VARBINARY(100), day DATE, at DATETIME(6), zoned TIMESTAMP(6) NULL,
    j JSON, u BINARY(16));
";

pub(crate) fn create(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => SQLITE,
        DbBackend::Postgres => POSTGRES,
        _ => MARIADB,
    }
}

const SEED: &str = "
INSERT INTO item (id, code, name, n, p, flag) VALUES (1, 'a', 'one', 1, 1.5, TRUE), (2, 'b', 'two', 2, 2.25, FALSE),
    (3, NULL, 'three', 3, -1, TRUE), (4, 'd', NULL, 4, 0, FALSE), (5, NULL, 'five', 5, 1e10, TRUE),
    (6, 'f', 'it''s; -- \"six\"', -6, 0.1, FALSE);
INSERT INTO pair (a, b, note, n) VALUES (1, 1, 'a', 1), (1, 2, 'b', 1), (1, 3, NULL, 1), (2, 1, 'a', 2), (2, 2, NULL, NULL);
INSERT INTO label (name, score, note) VALUES ('a', 1, 'x'), ('b', 2, NULL), ('c', 3, 'y'), ('d e', 0, 'it''s'), ('1', 4, '');
INSERT INTO acct (id, k, email, n) VALUES ('a', 1, 'a@x', 1), ('b', NULL, 'b@x', 2), ('c', 9007199254740993, 'c@x', 3), ('d', 4, 'd@x', 4);
INSERT INTO parent (id, title) VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four');
INSERT INTO child (id, parent_id, friend_id, n) VALUES (1, 1, 2, 1), (2, 1, NULL, 2), (3, 2, 1, 3), (4, 3, 3, 4), (5, NULL, 2, 5);
INSERT INTO tree (id, up_id, n) VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3), (4, 1, 4), (5, NULL, 5), (6, 6, 6);
INSERT INTO shop (id, title, n) VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'five', 5);
INSERT INTO calc (id, a, b, name) VALUES (1, 1, 1, 'one'), (2, 2, NULL, 'two'), (3, 3, -3, 'three');
INSERT INTO long_table_name_that_has_sixty_three_bytes_as_postgresql_allows VALUES (1, 1, 'a'), (2, NULL, 'b'), (3, 3, NULL);
";

const WIDE: &str = "
INSERT INTO wide VALUES (1, 1, 1, 1.5, 1.5, 1.5, 'x', BYTES, '2026-01-02', '2026-01-02 03:04:05', 'ZONED', '{\"a\": 1}', UUID),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, -32768, 9223372036854775807, -0.25, 1e300, -0.0001, '', NULL, '9999-12-31', '2000-02-29 23:59:59.5', NULL, '[]', NULL);
";

fn seed(backend: DbBackend) -> String {
    let bytes = match backend {
        DbBackend::Postgres => "'\\x00ff41'",
        _ => "X'00ff41'",
    };
    let uuid = match backend {
        DbBackend::Postgres => "'00000000-0000-0000-0000-000000000001'",
        _ => "X'00000000000000000000000000000001'",
    };
    let zoned = match backend {
        DbBackend::MySql => "2026-01-02 03:04:05.25",
        _ => "2026-01-02 03:04:05.25+00:00",
    };
    let wide = WIDE.replace("BYTES", bytes).replace("UUID", uuid);
    format!("{SEED}{}", wide.replace("ZONED", zoned))
}

/// The statement that fills a table.
fn seed_of<'a>(seed: &'a str, table: &str) -> &'a str {
    (seed
        .split("INSERT INTO ")
        .find(|insert| insert.starts_with(&format!("{table} "))))
    .unwrap_or_else(|| panic!("no first rows of {table}"))
}

/// The tables that a text may write, by the names in it and their dependent tables.
pub(crate) fn written(text: &str) -> impl Iterator<Item = &'static str> {
    let text = text.to_lowercase();
    let parent = text.contains("parent") || text.contains("child");
    TABLES
        .iter()
        .filter(move |table| {
            let called = format!("entity: \"{}\"", table.entity);
            text.contains(table.name)
                || text.contains(&called)
                || (parent && matches!(table.name, "parent" | "child"))
        })
        .map(|table| table.name)
}

/// Brings tables back to the first rows, numbers included, and empties the log.
pub(crate) fn reset(backend: DbBackend, is_written: impl Fn(&str) -> bool) -> String {
    let seed = seed(backend);
    let tables: Vec<&Table> = TABLES
        .iter()
        .filter(|table| is_written(table.name))
        .collect();
    let shop = is_written("shop");
    let mut sql = match backend {
        DbBackend::Sqlite => "BEGIN IMMEDIATE;\n".to_owned(),
        DbBackend::MySql => "START TRANSACTION;\n".to_owned(),
        _ => String::new(),
    };
    if backend == DbBackend::Postgres && !tables.is_empty() {
        // Rows are read in physical order, which must be the same everywhere.
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        sql.push_str(&format!("TRUNCATE {};\n", names.join(", ")));
    } else {
        if shop {
            // A trigger prevents the delete of some rows.
            sql.push_str("UPDATE shop SET n = 0;\n");
        }
        for table in tables.iter().rev() {
            sql.push_str(&format!("DELETE FROM {};\n", table.name));
        }
    }
    for table in &tables {
        sql.push_str(&format!("INSERT INTO {}", seed_of(&seed, table.name)));
    }
    sql.push_str("DELETE FROM seen;\nDELETE FROM audit_log;\nDELETE FROM audit_system_event;\n");
    if backend == DbBackend::MySql {
        // The next statements commit implicitly.
        sql.push_str("COMMIT;\n");
    }
    let numbered = tables.iter().filter(|table| table.numbered);
    for name in numbered
        .map(|table| table.name)
        .chain(shop.then_some("seen"))
    {
        sql.push_str(&match backend {
            DbBackend::Postgres => format!("SELECT setval('{name}_id_seq', 10, false);\n"),
            // This is slow, so only changed counters are reset: see `moved`.
            DbBackend::MySql => continue,
            // An empty table has no row here.
            _ => format!(
                "DELETE FROM sqlite_sequence WHERE name = '{name}';\n\
                 INSERT INTO sqlite_sequence VALUES ('{name}', 9);\n"
            ),
        });
    }
    if backend == DbBackend::Sqlite {
        sql.push_str("COMMIT;\n");
    }
    sql
}

/// The tables whose counters differ from those after a reset.
pub(crate) const MOVED: &str = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND auto_increment <> 10 \
     AND table_name IN ('item', 'child', 'shop', 'calc', 'seen')";

/// Reads all rows of all tables as text: the table's name, and the row.
pub(crate) fn dump(backend: DbBackend) -> String {
    let seen: &[(&str, Kind)] = &[("id", Kind::Int), ("shop_id", Kind::Int), ("n", Kind::Int)];
    let mut parts = vec![dump_of(backend, "seen", seen)];
    for Table { name, columns, .. } in TABLES {
        let columns: Vec<_> = columns.iter().map(|c| (c.name, c.kind)).collect();
        parts.push(dump_of(backend, name, &columns));
    }
    parts.join("\nUNION ALL\n")
}

fn dump_of(backend: DbBackend, table: &str, columns: &[(&str, Kind)]) -> String {
    let row = match backend {
        DbBackend::Postgres => format!("{table}::text"),
        DbBackend::Sqlite => {
            let columns: Vec<String> = (columns.iter())
                .map(|(name, _)| format!("quote({name})"))
                .collect();
            columns.join(" || ', ' || ")
        }
        _ => {
            let columns: Vec<String> = (columns.iter())
                .map(|(name, kind)| match kind {
                    Kind::Bytes | Kind::Uuid => format!("QUOTE(HEX({name}))"),
                    _ => format!("QUOTE({name})"),
                })
                .collect();
            format!(
                "CONVERT(CONCAT_WS(', ', {}) USING utf8mb4) COLLATE utf8mb4_bin",
                columns.join(", ")
            )
        }
    };
    format!("SELECT '{table}' AS tab, {row} AS row_text FROM {table}")
}
