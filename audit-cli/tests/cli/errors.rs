//! Mistakes: what the message says, the exit code, and that no password is shown.

use sea_orm::ConnectionTrait;

use crate::program::{command, run, url};
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

on_every_database! {
    mistake_is_explained_with_its_exit_code,
    database_without_the_log_is_explained,
    foreign_cursor_is_refused,
}

async fn mistake_is_explained_with_its_exit_code(db: &TestDb) -> TestResult {
    fill(db).await?;
    let cases: &[(&[&str], i32, &str)] = &[
        (&["log", "modle:product"], 2, "did you mean `model`?"),
        (&["log", "action:updte"], 2, "did you mean `update`?"),
        (
            &["log", "created:2026-04..2026-03"],
            2,
            "the range ends before it begins",
        ),
        (
            &["log", "model:prodct"],
            2,
            "no record of a model `prodct`: did you mean `product`?",
        ),
        (
            &["log", "model:banana"],
            2,
            "the log has records of invoice, product",
        ),
        (
            &["log", "--cursor", "abc"],
            2,
            "start again from the first page",
        ),
        (&["log", "--follow", "--interval", "0"], 2, "above 0"),
        (&["log", "--nonsense"], 2, "unexpected argument"),
        (&["show", "99"], 1, "the log has no record 99"),
        (&["show", "x"], 2, "invalid value"),
        (&["history", "prodct", "1"], 2, "did you mean `product`?"),
        (
            &["history", "product", "99"],
            1,
            "the log has no change of product 99",
        ),
        (
            &["history", "product", "-1"],
            1,
            "the log has no change of product -1",
        ),
        (&["diff", "product", "1", "v1", "v9"], 2, "v1 to v3"),
        (&["diff", "product", "1", "v0", "v1"], 2, "v1 to v3"),
        (&["diff", "product", "1", "2", "v1"], 2, "v1 to v3"),
        (&["blame", "product", "99"], 1, "no change of product 99"),
        (
            &["as-of", "product", "1", "2026-02-30"],
            2,
            "2026-02 has 28 days",
        ),
        (&["as-of", "product", "1", "..2026-02"], 2, "has no begin"),
        (
            &["as-of", "product", "99", "2026-03-03"],
            1,
            "no change of product 99",
        ),
        (
            &["export", "--output", "/nowhere/x.csv"],
            4,
            "cannot be created",
        ),
        (&["export"], 2, "csv, jsonl"),
        (&["export", "--format", "xls"], 2, "csv, jsonl"),
        (
            &["--table-prefix", "other_", "log"],
            3,
            "`other_log` does not exist",
        ),
        (&["--table-prefix", "a b", "log"], 2, "table prefix"),
        (&["nonsense"], 2, "unrecognized subcommand"),
    ];
    for (args, code, message) in cases {
        let done = run(&url(db), args)?;
        assert_eq!(done.code, Some(*code), "{args:?}: {done:?}");
        assert!(done.err.contains(message), "{args:?}: {done:?}");
        assert_eq!(done.out, "", "{args:?}");
        assert!(!done.err.contains("panicked"), "{done:?}");
    }
    Ok(())
}

async fn database_without_the_log_is_explained(db: &TestDb) -> TestResult {
    for table in [
        "audit_log",
        "audit_login_attempt",
        "audit_data_export",
        "audit_system_event",
    ] {
        db.execute_unprepared(&format!("DROP TABLE {table}"))
            .await?;
    }
    for args in [
        &["log"] as &[&str],
        &["stats"],
        &["export", "--format", "csv"],
        &["events", "resolve", "1", "--note", "x"],
    ] {
        let done = run(&url(db), args)?;
        assert_eq!((done.code, done.out.as_str()), (Some(3), ""), "{done:?}");
        assert!(
            done.err.contains("the table `audit_log` does not exist")
                && done.err.contains("migrations"),
            "{done:?}"
        );
    }
    let done = run(&url(db), &["doctor"])?;
    assert_eq!(done.code, Some(1));
    assert!(
        done.out.contains("PROBLEM  tables") && done.out.contains("4 problems"),
        "{done:?}"
    );
    Ok(())
}

async fn foreign_cursor_is_refused(db: &TestDb) -> TestResult {
    fill(db).await?;
    let page = run(&url(db), &["log", "model:product", "-n", "2"])?;
    let (_, cursor) = page.out.trim().rsplit_once(' ').ok_or("no cursor")?;
    let done = run(&url(db), &["log", "actor:7", "--cursor", cursor])?;
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("another query"), "{done:?}");
    Ok(())
}

const PASSWORD: &str = "s3cret%2Fpass";

#[test]
fn password_is_shown_in_no_message() -> TestResult {
    let wrong_server = std::env::var("TEST_MYSQL_URL").unwrap_or_default();
    let host = wrong_server
        .rsplit_once('@')
        .map_or("127.0.0.1:1/x", |(_, host)| host);
    let urls = [
        format!("postgres://ann:{PASSWORD}@127.0.0.1:1/shop"),
        format!("mysql://ann:{PASSWORD}@{host}"),
        format!("postgres://ann:{PASSWORD}@[broken/shop"),
        format!("postgres://ann:{PASSWORD}@127.0.0.1:99999/shop"),
        format!("oracle://ann:{PASSWORD}@127.0.0.1/shop"),
        format!("mysql://ann:{PASSWORD}@127.0.0.1:1/shop?ssl-mode=nonsense"),
        format!("postgres:ann:{PASSWORD}"),
    ];
    // Each waits for its server.
    let children: Vec<_> = urls
        .iter()
        .map(|url| {
            let child = command(url)
                .arg("log")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn();
            (url, child)
        })
        .collect();
    for (url, child) in children {
        let output = child?.wait_with_output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text)?;
        assert!(
            text.starts_with("error: ") && text.len() > 20,
            "{url}: {text}"
        );
        assert!(
            !text.contains("s3cret") && !text.contains("panicked"),
            "{url}: {text}"
        );
        assert!(matches!(output.status.code(), Some(2 | 3)), "{url}: {text}");
    }
    // The help shows the variable, and not its value.
    let help = run(&urls[0], &["--help"])?;
    assert!(
        help.out.contains("DATABASE_URL") && !help.out.contains("s3cret"),
        "{}",
        help.out
    );
    Ok(())
}

#[test]
fn missing_url_and_missing_file_are_explained() -> TestResult {
    for (url, code, message) in [
        ("", 2, "set DATABASE_URL"),
        ("shop.db", 2, "does not begin with"),
        (
            "sqlite:/nowhere/shop.db",
            3,
            "the database cannot be reached",
        ),
    ] {
        let done = run(url, &["log"])?;
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains(message), "{done:?}");
    }
    Ok(())
}

#[test]
fn file_that_does_not_exist_is_not_created() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("typo.db");
    let done = run(&format!("sqlite:{}", file.display()), &["log"])?;
    assert_eq!(done.code, Some(3));
    assert!(!file.exists());
    Ok(())
}
