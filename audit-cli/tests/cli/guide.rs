//! The output in `docs/command-line.md` is that of the command. `UPDATE_GUIDE=1` writes it anew.

use std::path::Path;
use std::process::Command;

use crate::program::url;
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

/// What differs from run to run.
fn normalized(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if let Some((begin, _)) = line.split_once("differ by ") {
            format!("{begin}differ by 0 ms")
        } else if line.contains("growth") && line.contains(" bytes, ") {
            let (begin, _) = line.split_once("growth").unwrap_or((line, ""));
            format!("{begin}growth      36864 bytes, 9.0 records a day")
        } else if let Some((begin, _)) = line.split_once("--cursor ") {
            // A cursor has the time of its page.
            format!("{begin}--cursor 010000000000000000030006618f64c8db1d98648c15f6341fdf")
        } else if line.contains("EXPORT") && line.contains("sea-orm-audit") {
            time_masked(line)
        } else {
            line.to_owned()
        }
    });
    lines.fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// A line of this run's own export, with a time near those of the sample.
fn time_masked(line: &str) -> String {
    let is_time =
        |text: &str| text.len() == 19 && text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':';
    let at =
        (0..line.len().saturating_sub(19)).find(|at| line.get(*at..at + 19).is_some_and(is_time));
    match at {
        Some(at) => format!("{}2026-03-05 08:00:00{}", &line[..at], &line[at + 19..]),
        None => line.to_owned(),
    }
}

/// The page with the output of its commands.
fn written(page: &str, url: &str) -> TestResult<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_sea-orm-audit"));
    let folder = program.parent().ok_or("no folder")?;
    let path = format!("{}:{}", folder.display(), std::env::var("PATH")?);
    let mut text = String::new();
    let mut is_output = false;
    for line in page.lines() {
        if line == "```console" {
            is_output = true;
        } else if line == "```" {
            is_output = false;
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| is_output) else {
            if !is_output || line == "```console" {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        };
        let done = Command::new("sh")
            .arg("-c")
            .arg(format!("({command}) 2>&1"))
            .env("PATH", &path)
            .env("DATABASE_URL", url)
            .env("USER", "ann")
            .output()?;
        if !text.ends_with("```console\n") {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        text.push_str(&normalized(&String::from_utf8(done.stdout)?));
    }
    Ok(text)
}

#[tokio::test]
async fn output_in_the_guide_is_that_of_the_command() -> TestResult {
    let Some(db) = TestDb::sqlite().await? else {
        return Ok(());
    };
    fill(&db).await?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/command-line.md");
    let page = std::fs::read_to_string(&file)?;
    let expected = written(&page, &url(&db))?;
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        std::fs::write(&file, &expected)?;
    }
    assert!(page.matches("$ sea-orm-audit").count() > 10);
    assert_eq!(
        std::fs::read_to_string(&file)?,
        expected,
        "run it with UPDATE_GUIDE=1"
    );
    db.remove().await
}
