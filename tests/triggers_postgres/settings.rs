//! Records do not depend on the settings of the writing session.

use sea_orm::{ActiveModelTrait, ConnectionTrait, Set};
use serde_json::json;

use crate::client::{create, psql};
use crate::entity::wide;
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    settings_of_the_session_make_no_difference,
    extremes_that_no_orm_reads_fail_no_write,
    replicas_and_disabled_triggers_record_nothing,
}

const WRITE: &str = r#"INSERT INTO wide (single, twofold, exact, bytes, day, clock, naive, instant,
    json, address, instants, blobs, fractions, documents, uuid, large) VALUES (0.1, 0.1::float8 + 0.2,
    12.50, decode('00ff5c27', 'hex'), '2026-11-23', '04:05:06.5', '2026-11-23 04:05:06',
    '2026-11-23 04:05:06.5+00', '{"a" : "\u00e9\\"}', '10.0.0.1/8',
    ARRAY['2026-11-23 04:05:06+00'::timestamptz], ARRAY[decode('5c', 'hex')], ARRAY[1/3::float8],
    ARRAY['{"a":1}'::json], 'CAFECAFE-0000-0000-0000-000000000000', 9007199254740993);
    UPDATE wide SET naive = 'infinity', instant = '2026-03-29 00:30+00', twofold = 1/3::float8;
    DELETE FROM wide;"#;

async fn settings_of_the_session_make_no_difference(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    psql(db, WRITE).await?;
    let log = |db: &'static str| db;
    let _ = log;
    let strip = |lines: Vec<String>| -> Vec<String> {
        // The IDs increase, so they are cut off.
        let cut = |line: String| {
            line.split_once(" {")
                .map_or(String::new(), |(_, c)| c.to_owned())
        };
        lines
            .into_iter()
            .map(cut)
            .map(|line| line.replace("\"id\":", ""))
            .collect()
    };
    let reset = "ALTER SEQUENCE wide_id_seq RESTART; DELETE FROM audit_log;";
    let usual = strip(db.log().await?);
    assert_eq!(usual.len(), 3);
    for settings in [
        "SET TimeZone = 'America/New_York'",
        "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kolkata'",
        "SET DateStyle = 'German'",
        "SET extra_float_digits = -15",
        "SET extra_float_digits = 3",
        "SET bytea_output = 'escape'",
        "SET IntervalStyle = 'sql_standard'",
        "SET standard_conforming_strings = off; SET escape_string_warning = off",
        "SET backslash_quote = off; SET quote_all_identifiers = on",
        "SET lc_numeric = 'C'; SET lc_time = 'C'",
        "SET search_path = ''",
        "CREATE SCHEMA trap; CREATE FUNCTION trap.to_json(x anyelement) RETURNS json LANGUAGE sql AS
           'SELECT ''7''::json'; CREATE FUNCTION trap.lower(x text) RETURNS text LANGUAGE sql AS
           'SELECT ''x''::text'; SET search_path = trap, public, pg_catalog",
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_custom_plan",
        "SET plan_cache_mode = force_generic_plan; SET jit = on; SET jit_above_cost = 0",
        "SET xmlbinary = hex; SET array_nulls = off",
    ] {
        db.execute_unprepared(reset).await?;
        let write = WRITE.replace(" wide", " public.wide");
        // As a statement whose own literals do not depend on the settings.
        let write = write.replace("\\u00e9\\\\", "é\\\\");
        let write = if settings.contains("conforming") {
            write.replace('\\', "\\\\")
        } else {
            write
        };
        psql(db, &format!("{settings};\n{write}")).await?;
        assert_eq!(strip(db.log().await?), usual, "{settings}");
    }
    Ok(())
}

async fn extremes_that_no_orm_reads_fail_no_write(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    psql(
        db,
        "ALTER TABLE wide ALTER exact TYPE numeric;
         INSERT INTO wide (naive, instant, day, clock, exact, big_exact, larges, instants) VALUES
           ('infinity', '-infinity', 'infinity', '24:00:00', 'NaN', 'NaN', '{{1,2},{3,4}}', '{infinity,NULL}'),
           ('4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '5874897-12-31', '00:00', 1e1000,
            -1e-1000, '[5:6]={7,8}', '{0044-03-15 00:00:00+00 BC}');
         UPDATE wide SET naive = '0001-12-31 23:59:59.5 BC', instant = '0001-12-31 23:59:59 BC',
           day = '0044-03-15 BC' WHERE id = 2;
         DELETE FROM wide; INSERT INTO wide (day) VALUES ('-infinity'); TRUNCATE wide;",
    )
    .await?;
    let records = db.records().await?;
    let changes = |at: usize| records[at].changes.clone().unwrap();
    let (first, second, third) = (changes(0), changes(1), changes(2));
    assert_eq!(first["naive"], json!({"new": "infinity"}));
    assert_eq!(first["instant"], json!({"new": "-infinity"}));
    assert_eq!(first["day"], json!({"new": "infinity"}));
    assert_eq!(first["clock"], json!({"new": "24:00:00.000000"}));
    assert_eq!(first["exact"], json!({"new": "NaN"}));
    assert_eq!(first["larges"], json!({"new": [[1, 2], [3, 4]]}));
    assert_eq!(first["instants"], json!({"new": ["infinity", null]}));
    assert_eq!(
        second["naive"],
        json!({"new": "-4712-01-01T00:00:00.000000"})
    );
    assert_eq!(
        second["instant"],
        json!({"new": "+294276-12-31T23:59:59.999999Z"})
    );
    assert_eq!(second["day"], json!({"new": "+5874897-12-31"}));
    assert_eq!(second["larges"], json!({"new": [7, 8]}));
    assert_eq!(
        second["instants"],
        json!({"new": ["-0043-03-15T00:00:00.000000Z"]})
    );
    assert_eq!(third["naive"]["new"], json!("0000-12-31T23:59:59.500000"));
    assert_eq!(
        third["instant"]["new"],
        json!("0000-12-31T23:59:59.000000Z")
    );
    assert_eq!(third["day"]["new"], json!("-0043-03-15"));
    assert_eq!(records.len(), 7);
    Ok(())
}

async fn replicas_and_disabled_triggers_record_nothing(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    psql(
        db,
        "SET session_replication_role = replica; INSERT INTO wide (yes) VALUES (true);
         SET session_replication_role = local; INSERT INTO wide (yes) VALUES (true);
         ALTER TABLE wide DISABLE TRIGGER sea_orm_audit_insert; INSERT INTO wide (yes) VALUES (true);",
    )
    .await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}
