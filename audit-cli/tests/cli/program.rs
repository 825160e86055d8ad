//! Runs the command.

use std::process::{Command, Output, Stdio};

use crate::support::{TestDb, TestResult};

/// The command on a database, without the settings of the tests' own environment.
pub(crate) fn command(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sea-orm-audit"));
    for name in [
        "NO_COLOR",
        "PAGER",
        "LESS",
        "CLICOLOR_FORCE",
        "LOGNAME",
        "USERNAME",
    ] {
        command.env_remove(name);
    }
    command
        .env("DATABASE_URL", url)
        .env("USER", "ann")
        .stdin(Stdio::null());
    command
}

/// What the command wrote.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl TryFrom<Output> for Done {
    type Error = std::string::FromUtf8Error;

    fn try_from(output: Output) -> Result<Self, Self::Error> {
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }
}

pub(crate) fn run(url: &str, args: &[&str]) -> TestResult<Done> {
    Ok(command(url).args(args).output()?.try_into()?)
}

/// The output of a command that must succeed, and write no error.
pub(crate) fn output(url: &str, args: &[&str]) -> TestResult<String> {
    let done = run(url, args)?;
    assert_eq!(
        (done.code, done.err.as_str()),
        (Some(0), ""),
        "{args:?}: {done:?}"
    );
    Ok(done.out)
}

/// The lines of a command as JSON.
pub(crate) fn json(url: &str, args: &[&str]) -> TestResult<Vec<serde_json::Value>> {
    let args = [&["--json"], args].concat();
    let lines = output(url, &args)?;
    Ok(lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

pub(crate) fn url(db: &TestDb) -> String {
    db.connect_options().get_url().to_owned()
}
