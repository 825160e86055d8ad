//! Texts of several statements: each runs as it was sent, and none runs in a transaction that changes its effect.

use crate::entities::{FAMILY, items};
use crate::log_check::Table;
use crate::played::{On, Step, play, play_both};
use crate::support::{TestDb, TestResult};

mod only_postgres {
    crate::support::tests_on! { postgres:
        strings_with_escapes_are_sent_as_they_are_on_postgres,
        set_transaction_that_is_not_parsed_is_first,
        set_transaction_before_a_write_in_one_text_is_first,
    }
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        strings_and_numbers_are_sent_as_they_are_on_mariadb,
        set_transaction_before_a_write_in_one_text_is_for_that_write,
        autocommit_that_is_switched_off_in_one_text_with_a_write_is_off,
    }
}

mod only_sqlite {
    crate::support::tests_on! { sqlite:
        strings_and_numbers_are_sent_as_they_are_on_sqlite,
        pragma_before_a_write_in_one_text_takes_effect,
        pragma_that_transactions_refuse_goes_before_a_write_in_one_text,
    }
}

const ITEM: Table = Table::of("item");
const PARENT: Table = Table::of("parent");
const CHILD: Table = Table::of("child");

async fn strings_with_escapes_are_sent_as_they_are_on_postgres(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared(
            r"UPDATE item SET code = E'it\'s' WHERE id = 1; UPDATE item SET code = E'a\\b\tc' WHERE id = 2",
        ),
        Step::Unprepared(
            r"UPDATE item SET code = $$a;b$$ WHERE id = 1; /* ; /* ; */ ; */ UPDATE item SET code = E'x\';y' WHERE id = 2 -- ; end
            ; DELETE FROM item WHERE id = 3;;",
        ),
        Step::Unprepared(
            r"UPDATE item SET code = $t$q;$$;ü$t$ WHERE id = 4; INSERT INTO item (code, p) VALUES (U&'d\0061t', 5); INSERT INTO item (code, p) VALUES (X'1F'::text, 6)",
        ),
    ];
    let reports = play_both(db, &[ITEM], &items(db.backend(), 4), &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn strings_and_numbers_are_sent_as_they_are_on_mariadb(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared(
            "UPDATE item SET p = 0x1F + 1 WHERE id = 1; UPDATE item SET p = 0x20 WHERE id = 0x2",
        ),
        Step::Unprepared(
            r#"UPDATE item SET code = 'it\'s; ü' WHERE id = 3; UPDATE item SET code = "a\\b\n" WHERE id = 4; UPDATE item SET p = 0x1F + 1 WHERE id + 0x0 = 0x3"#,
        ),
        Step::Executed("UPDATE item SET p = 70 WHERE id + 0 = 0x1 + 1"),
    ];
    let reports = play_both(db, &[ITEM], &items(db.backend(), 4), &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn strings_and_numbers_are_sent_as_they_are_on_sqlite(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared(
            "UPDATE item SET p = 0x1F WHERE id = 1; UPDATE item SET p = 5 WHERE id = 0x2",
        ),
        Step::Unprepared(
            "UPDATE item SET code = 'it''s; \\ü' WHERE id = 3; UPDATE item SET code = CAST(x'4142' AS TEXT) WHERE id = 4",
        ),
        // The read before the statement has the same condition.
        Step::Executed("UPDATE item SET p = 70 WHERE id = 0x1"),
        Step::Executed("DELETE FROM item WHERE id = 0x3"),
    ];
    let reports = play_both(db, &[ITEM], &items(db.backend(), 4), &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn set_transaction_that_is_not_parsed_is_first(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, DEFERRABLE"),
        Step::Executed("UPDATE item SET p = 5 WHERE id = 1"),
    ];
    play(db, On::Transaction, &[ITEM], items(db.backend(), 4), &steps).await?;
    Ok(())
}

async fn set_transaction_before_a_write_in_one_text_is_first(db: &TestDb) -> TestResult {
    for text in [
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; UPDATE item SET p = 5 WHERE id = 1",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, DEFERRABLE; UPDATE item SET p = 5 WHERE id = 1",
        "SET transaction_isolation = 'serializable'; WITH w AS (UPDATE item SET p = 5 RETURNING id) SELECT id FROM w",
    ] {
        let db = db.sibling().await?;
        let steps = [Step::Unprepared(text)];
        play_both(&db, &[ITEM], &items(db.backend(), 4), &steps).await?;
        db.remove().await?;
    }
    Ok(())
}

async fn set_transaction_before_a_write_in_one_text_is_for_that_write(db: &TestDb) -> TestResult {
    let text =
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; UPDATE item SET p = 50 WHERE id = 1";
    let steps = [Step::Unprepared(text)];
    let setup = items(db.backend(), 4);
    let reports = play(db, On::Connection, &[ITEM], setup, &steps).await?;
    assert_eq!(reports.len(), 1, "{reports:?}");
    Ok(())
}

async fn autocommit_that_is_switched_off_in_one_text_with_a_write_is_off(
    db: &TestDb,
) -> TestResult {
    let steps = [
        Step::Unprepared("SET autocommit = 0; DELETE FROM item WHERE id = 4"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("ROLLBACK"),
        Step::Unprepared("SET autocommit = 1"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
    ];
    let setup = items(db.backend(), 4);
    play(db, On::Connection, &[ITEM], setup, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn pragma_before_a_write_in_one_text_takes_effect(db: &TestDb) -> TestResult {
    let mut setup: Vec<String> = FAMILY.iter().map(|sql| (*sql).to_owned()).collect();
    setup.push("INSERT INTO parent VALUES (1, 1), (2, 2)".into());
    setup.push("INSERT INTO child VALUES (1, 1), (2, 2)".into());
    // Not by `execute`: SQLite's count of a PRAGMA is that of the statement before, here the report's.
    let steps = [Step::Queried(
        "PRAGMA foreign_keys = 0; DELETE FROM parent WHERE id = 1",
    )];
    let reports = play(db, On::Connection, &[PARENT, CHILD], setup, &steps).await?;
    assert_eq!(reports.len(), 1, "{reports:?}");
    Ok(())
}

async fn pragma_that_transactions_refuse_goes_before_a_write_in_one_text(
    db: &TestDb,
) -> TestResult {
    let steps = [
        Step::Queried("PRAGMA synchronous = 1; UPDATE item SET p = 50 WHERE id = 1"),
        Step::Queried("PRAGMA temp_store = 2; UPDATE item SET p = 52 WHERE id = 3"),
        Step::Queried("PRAGMA journal_size_limit; UPDATE item SET p = 53 WHERE id = 4"),
    ];
    let setup = items(db.backend(), 4);
    play(db, On::Connection, &[ITEM], setup, &steps).await?;
    Ok(())
}
