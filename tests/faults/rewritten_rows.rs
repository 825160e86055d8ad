//! Tables whose triggers, rules or views rewrite a statement.

use sea_orm::DbBackend;

use crate::entities::{auto_id, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite:
        rows_that_an_after_trigger_changes_are_recorded_as_they_end,
        rows_that_a_before_trigger_keeps_are_not_recorded,
        insert_that_a_before_trigger_skips_or_moves_records_no_older_row,
        writes_to_a_view_are_recorded_or_reported,
    }
}

mod postgres {
    crate::support::tests_on! { postgres:
        rows_that_an_after_trigger_changes_are_recorded_as_they_end,
        rows_that_a_before_trigger_changes_are_recorded_as_they_end,
        rows_that_a_before_trigger_keeps_are_not_recorded,
        insert_that_a_before_trigger_skips_or_moves_records_no_older_row,
        delete_that_a_rule_makes_an_update_is_recorded_or_reported,
        writes_that_a_rule_adds_to_are_recorded_or_reported,
        writes_to_a_view_are_recorded_or_reported,
        writes_to_an_updatable_view_are_recorded_or_reported,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        rows_that_a_before_trigger_changes_are_recorded_as_they_end,
        writes_to_an_updatable_view_are_recorded_or_reported,
    }
}

const ITEM: Table = Table::of("item");

async fn all_writes(oracle: &Oracle<'_>) {
    for sql in [
        "INSERT INTO item (code, p) VALUES ('n', 20)",
        "INSERT INTO item (code, p) VALUES ('m', 21), ('k', 22)",
        "UPDATE item SET p = 30 WHERE id = 1",
        "UPDATE item SET p = p + 40",
        "DELETE FROM item WHERE id = 2",
        "DELETE FROM item WHERE p > 61",
    ] {
        oracle.same(Call::Execute, sql, &[]).await;
    }
}

/// A function and triggers of PostgreSQL, for each row.
fn postgres_trigger(when: &str, events: &str, body: &str) -> [String; 2] {
    [
        format!(
            "CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        ),
        format!(
            "CREATE TRIGGER changes {when} {events} ON item FOR EACH ROW \
             WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION changes()"
        ),
    ]
}

async fn rows_that_an_after_trigger_changes_are_recorded_as_they_end(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    if db.backend() == DbBackend::Sqlite {
        for event in ["INSERT", "UPDATE OF p"] {
            let name = event.split(' ').next().unwrap();
            setup.push(format!(
                "CREATE TRIGGER changes_{name} AFTER {event} ON item \
                 BEGIN UPDATE item SET code = NEW.p || ' ' || NEW.id WHERE id = NEW.id; END"
            ));
        }
    } else {
        let body = "UPDATE item SET code = NEW.p || ' ' || NEW.id WHERE id = NEW.id; RETURN NULL;";
        setup.extend(postgres_trigger("AFTER", "INSERT OR UPDATE", body));
    }
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded().await
}

async fn rows_that_a_before_trigger_changes_are_recorded_as_they_end(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    if db.backend() == DbBackend::MySql {
        for event in ["INSERT", "UPDATE"] {
            setup.push(format!(
                "CREATE TRIGGER changes_{event} BEFORE {event} ON item FOR EACH ROW \
                 SET NEW.code = CONCAT(NEW.p, ' ', NEW.code)"
            ));
        }
    } else {
        let body = "NEW.code = NEW.p || ' ' || NEW.code; RETURN NEW;";
        setup.extend(postgres_trigger("BEFORE", "INSERT OR UPDATE", body));
    }
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded().await
}

async fn rows_that_a_before_trigger_keeps_are_not_recorded(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    if db.backend() == DbBackend::Sqlite {
        for (event, row) in [("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")] {
            setup.push(format!(
                "CREATE TRIGGER keeps_{event} BEFORE {event} ON item \
                 WHEN {row}.p % 2 = 0 BEGIN SELECT RAISE(IGNORE); END"
            ));
        }
    } else {
        let body = "IF TG_OP = 'INSERT' THEN IF NEW.p % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END IF; \
                    IF OLD.p % 2 = 0 THEN RETURN NULL; END IF; \
                    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;";
        setup.extend(postgres_trigger(
            "BEFORE",
            "INSERT OR UPDATE OR DELETE",
            body,
        ));
    }
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded().await
}

/// The statement does not return the key that the row gets, if any; the key in the statement is an older row's.
async fn insert_that_a_before_trigger_skips_or_moves_records_no_older_row(
    db: &TestDb,
) -> TestResult {
    let mut setup = items(db.backend(), 4);
    if db.backend() == DbBackend::Sqlite {
        setup.push(
            "CREATE TRIGGER keeps BEFORE INSERT ON item WHEN NEW.p % 2 = 0 \
             BEGIN SELECT RAISE(IGNORE); END"
                .to_owned(),
        );
    } else {
        let body = "IF NEW.p % 2 = 0 THEN RETURN NULL; END IF; \
                    IF NEW.p = 5 THEN NEW.id = NEW.id + 100; END IF; RETURN NEW;";
        setup.extend(postgres_trigger("BEFORE", "INSERT", body));
    }
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    let forms = [
        "INSERT INTO item (id, code, p) VALUES (1, 'x', 2) RETURNING 1",
        "INSERT INTO item (id, code, p) VALUES (2, 'y', 2), (30, 'z', 3) RETURNING 1",
        "INSERT INTO item (id, code, p) VALUES (3, 'v', 5) RETURNING 1",
    ];
    for call in [Call::QueryAll, Call::QueryOne] {
        for sql in forms {
            oracle.same(call, sql, &[]).await;
        }
    }
    oracle.recorded_or_reported().await
}

async fn delete_that_a_rule_makes_an_update_is_recorded_or_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    setup.push(
        "CREATE RULE keeps AS ON DELETE TO item DO INSTEAD UPDATE item SET p = -1 WHERE id = OLD.id"
            .to_owned(),
    );
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded_or_reported().await
}

async fn writes_that_a_rule_adds_to_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    setup.push("CREATE TABLE seen (id INTEGER, p INTEGER)".to_owned());
    setup.push(
        "CREATE RULE adds AS ON UPDATE TO item DO ALSO INSERT INTO seen VALUES (NEW.id, NEW.p)"
            .to_owned(),
    );
    setup.push(
        "CREATE RULE inserts AS ON INSERT TO item WHERE NEW.p > 20 \
         DO INSTEAD INSERT INTO seen VALUES (NEW.id, NEW.p)"
            .to_owned(),
    );
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded_or_reported().await
}

/// The entity's table is a view: its triggers write to another table.
async fn writes_to_a_view_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let id = auto_id(db.backend());
    let mut setup = vec![
        format!("CREATE TABLE kept ({id}, code VARCHAR(40), p INTEGER)"),
        "INSERT INTO kept (code, p) VALUES ('c1', 1), ('c2', 2), ('c3', 3)".to_owned(),
        "CREATE VIEW item AS SELECT id, code, p FROM kept".to_owned(),
    ];
    let bodies = [
        (
            "INSERT",
            "INSERT INTO kept (code, p) VALUES (NEW.code, NEW.p + 1);",
            "NEW",
        ),
        (
            "UPDATE",
            "UPDATE kept SET p = NEW.p + 1 WHERE id = OLD.id;",
            "NEW",
        ),
        ("DELETE", "DELETE FROM kept WHERE id = OLD.id;", "OLD"),
    ];
    for (event, body, row) in bodies {
        if db.backend() == DbBackend::Sqlite {
            setup.push(format!(
                "CREATE TRIGGER on_{event} INSTEAD OF {event} ON item BEGIN {body} END"
            ));
        } else {
            setup.push(format!(
                "CREATE FUNCTION on_{event}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN {body} RETURN {row}; END $$"
            ));
            setup.push(format!(
                "CREATE TRIGGER on_{event} INSTEAD OF {event} ON item FOR EACH ROW \
                 EXECUTE FUNCTION on_{event}()"
            ));
        }
    }
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded_or_reported().await
}

async fn writes_to_an_updatable_view_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let setup = [
        format!(
            "CREATE TABLE kept ({}, code VARCHAR(40), p INTEGER)",
            auto_id(db.backend())
        ),
        "INSERT INTO kept (code, p) VALUES ('c1', 1), ('c2', 2), ('c3', 3)".to_owned(),
        "CREATE VIEW item AS SELECT id, code, p FROM kept WHERE p < 1000".to_owned(),
    ];
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    all_writes(&oracle).await;
    oracle.recorded_or_reported().await
}
