//! Other names of the audit tables, and users who may only read them.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::event::AuditEvent;
use sea_orm_audit::migration::{Migrator, MigratorTrait};
use sea_orm_audit::{Action, AuditContext};

use crate::program::{json, output, run, url};
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

on_every_database! {
    tables_of_other_names_are_read,
}

mod servers {
    mod postgres {
        sea_orm_audit_tests::tests_on!(postgres: user_who_may_only_read_gets_advice);
    }
    mod mariadb {
        sea_orm_audit_tests::tests_on!(mariadb: user_who_may_only_read_gets_advice);
    }
    pub(super) use super::user_who_may_only_read_gets_advice;
}

async fn tables_of_other_names_are_read(db: &TestDb) -> TestResult {
    let mut config = AuditConfig::builder().table_prefix("x_");
    let mut args = vec!["--table-prefix".to_owned(), "x_".to_owned()];
    let schema = db.schema_beside();
    if let Some(schema) = &schema {
        config = config.table_schema(schema);
        args.extend(["--schema".to_owned(), schema.clone()]);
    }
    let config = config.build()?;
    config.scope(Migrator::up(&db.conn, None)).await?;
    let event = AuditEvent::new(Action::custom("APPROVE")?);
    let recorded = AuditContext::new().scope(event.record(&db.conn));
    Box::pin(config.scope(recorded)).await?;
    let with = |more: &[&str]| -> Vec<String> {
        let more = more.iter().map(|arg| (*arg).to_owned());
        args.iter().cloned().chain(more).collect()
    };
    let read = |more: &[&str]| {
        let args = with(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        output(&url(db), &args)
    };
    assert_eq!(read(&["log", "--json"])?.lines().count(), 1);
    assert!(read(&["doctor"])?.ends_with("no problems\n"));
    let stats = read(&["stats"])?;
    assert!(
        stats.starts_with("TABLE") && stats.contains("x_log            1     "),
        "{stats}"
    );
    let args = with(&["export", "-f", "csv"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = run(&url(db), &args)?;
    assert_eq!(
        (done.code, done.out.lines().count()),
        (Some(0), 2),
        "{done:?}"
    );
    assert_eq!(read(&["exports", "--json"])?.lines().count(), 1);
    // The tables of the usual names are others.
    assert_eq!(json(&url(db), &["log"])?.len(), 0);
    if let (Some(schema), DbBackend::MySql) = (schema, db.backend()) {
        db.execute_unprepared(&format!("DROP DATABASE {schema}"))
            .await?;
    }
    Ok(())
}

async fn user_who_may_only_read_gets_advice(db: &TestDb) -> TestResult {
    fill(db).await?;
    let url = url(db);
    let (base, name) = url.rsplit_once('/').ok_or("no database")?;
    let (_, host) = base.rsplit_once('@').ok_or("no host")?;
    let user = format!("reader_{}", std::process::id());
    let (scheme, make, drop) = match db.backend() {
        DbBackend::Postgres => (
            "postgres",
            format!(
                "CREATE ROLE {user} LOGIN PASSWORD 'pw'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}"
            ),
            format!("DROP OWNED BY {user}; DROP ROLE {user}"),
        ),
        _ => (
            "mysql",
            format!(
                "CREATE USER {user}@'%' IDENTIFIED BY 'pw'; GRANT SELECT ON {name}.* TO {user}@'%'"
            ),
            format!("DROP USER {user}@'%'"),
        ),
    };
    for statement in make.split("; ") {
        db.execute_unprepared(statement).await?;
    }
    let reader = format!("{scheme}://{user}:pw@{host}/{name}");
    let checked = read_only(&reader);
    for statement in drop.split("; ") {
        db.execute_unprepared(statement).await?;
    }
    checked?;
    assert_eq!(db.exports().await?.len(), 1);
    Ok(())
}

fn read_only(url: &str) -> TestResult {
    assert_eq!(json(url, &["log"])?.len(), 9);
    for args in [
        &["history", "product", "1"] as &[&str],
        &["summary"],
        &["stats"],
        &["logins"],
        &["doctor"],
    ] {
        let done = run(url, args)?;
        assert_eq!(
            (done.code, done.err.as_str()),
            (Some(0), ""),
            "{args:?} {done:?}"
        );
    }
    let done = run(url, &["export", "-f", "csv"])?;
    assert_eq!((done.code, done.out.as_str()), (Some(3), ""), "{done:?}");
    assert!(
        done.err.contains("nothing was exported") && done.err.contains("`--unrecorded`"),
        "{done:?}"
    );
    let done = run(url, &["export", "-f", "csv", "--unrecorded"])?;
    assert_eq!(
        (done.code, done.out.lines().count()),
        (Some(0), 10),
        "{done:?}"
    );
    let done = run(url, &["events", "resolve", "1", "--note", "x"])?;
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.err.contains("denied"), "{done:?}");
    Ok(())
}
