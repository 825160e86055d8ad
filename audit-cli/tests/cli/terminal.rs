//! Colours and the pager, on a terminal that `script` makes; completions and manual pages.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{output, run, url};
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

/// The output of the command on a terminal.
fn on_terminal(url: &str, args: &str, settings: &[(&str, &str)]) -> TestResult<String> {
    let program = env!("CARGO_BIN_EXE_sea-orm-audit");
    let mut script = Command::new("script");
    script
        .args(["-qec", &format!("'{program}' {args}"), "/dev/null"])
        .env("DATABASE_URL", url)
        .env("TERM", "xterm")
        .env("USER", "ann")
        .env_remove("NO_COLOR")
        .env("PAGER", "sed 's/^/paged: /'")
        .stdin(Stdio::null());
    for (name, value) in settings {
        script.env(name, value);
    }
    let done = script.output()?;
    Ok(String::from_utf8(done.stdout)?)
}

#[tokio::test]
async fn colours_and_pager_are_for_terminals() -> TestResult {
    let Some(db) = TestDb::sqlite().await? else {
        return Ok(());
    };
    fill(&db).await?;
    let url = url(&db);
    let history = ["history", "product", "1"];
    let plain = output(&url, &history)?;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let forced = output(
        &url,
        &[&history as &[&str], &["--color", "always"]].concat(),
    )?;
    assert!(
        forced.contains("\u{1b}[31m  - price: 450\u{1b}[0m"),
        "{forced:?}"
    );
    let shown = on_terminal(&url, "history product 1", &[])?;
    assert!(
        shown.contains("paged: \u{1b}[31m  - price: 450\u{1b}[0m"),
        "{shown:?}"
    );
    let shown = on_terminal(&url, "history product 1", &[("NO_COLOR", "1")])?;
    assert!(
        shown.contains("paged:   - price: 450") && !shown.contains("\u{1b}["),
        "{shown:?}"
    );
    for (args, settings) in [
        ("history product 1 --no-pager", [("PAGER", "false")]),
        ("history product 1", [("PAGER", "cat")]),
    ] {
        let shown = on_terminal(&url, args, &settings)?;
        assert!(
            shown.contains("- price: 450") && !shown.contains("paged"),
            "{shown:?}"
        );
    }
    // A pager that ends early is no error.
    let shown = on_terminal(&url, "log", &[("PAGER", "head -1")])?;
    assert!(
        shown.contains("RECORD") && !shown.contains("error"),
        "{shown:?}"
    );
    // JSON is for scripts.
    let shown = on_terminal(&url, "log --json", &[])?;
    assert!(
        shown.starts_with("{\"id\":9,") && !shown.contains("paged"),
        "{shown:?}"
    );
    let shown = on_terminal(&url, "export -f csv", &[])?;
    assert!(
        shown.contains("an export is not for a terminal"),
        "{shown:?}"
    );
    db.remove().await
}

#[test]
fn completions_exist_for_every_shell() -> TestResult {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = output("", &["completions", shell])?;
        for word in ["history", "as-of", "doctor", "table-prefix"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    // A shell reads it.
    let text = output("", &["completions", "bash"])?;
    let read = Command::new("bash").args(["-nc", &text]).output()?;
    assert!(read.status.success(), "{read:?}");
    Ok(())
}

#[test]
fn manual_has_a_page_for_every_command() -> TestResult {
    assert!(output("", &["man"])?.contains(".TH sea-orm-audit 1"));
    let folder = tempfile::tempdir()?;
    let name = folder.path().join("man1").display().to_string();
    output("", &["man", "--folder", &name])?;
    let help = output("", &["--help"])?;
    let (_, commands) = help.split_once("Commands:\n").ok_or("no commands")?;
    let (commands, _) = commands.split_once("\n\n").ok_or("no end")?;
    let commands: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 16, "{commands:?}");
    for command in commands {
        let page =
            std::fs::read_to_string(Path::new(&name).join(format!("sea-orm-audit-{command}.1")))?;
        assert!(
            page.contains(&format!(".TH sea-orm-audit-{command} 1")),
            "{page}"
        );
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "")?;
    let done = run(
        "",
        &["man", "--folder", &file.join("x").display().to_string()],
    )?;
    assert_eq!(done.code, Some(4), "{done:?}");
    Ok(())
}

#[test]
fn undo_is_explained() -> TestResult {
    for args in [
        &["undo"] as &[&str],
        &["undo", "17"],
        &["undo", "record", "17"],
    ] {
        let text = output("", args)?;
        assert!(
            text.contains("sea_orm_audit::undo::Undo") && text.contains("Undo::record(17)"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn help_lists_the_exit_codes() -> TestResult {
    let help = output("", &["--help"])?;
    for code in [
        "0  done",
        "1  nothing was found",
        "2  the command line",
        "3  the database",
        "4  the output",
    ] {
        assert!(help.contains(code), "{help}");
    }
    Ok(())
}
