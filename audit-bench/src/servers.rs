//! The URLs of the servers. `scripts/with-databases` starts missing servers, around another run of this program.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::BoxError;
use crate::args::Server;

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The URL of a server, `None` for SQLite.
pub(crate) fn url(server: Server) -> Result<Option<String>, BoxError> {
    let Some(variable) = server.variable() else {
        return Ok(None);
    };
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => Ok(Some(url)),
        _ => Err(format!("{variable} is not set").into()),
    }
}

/// Runs this program again if a server is missing; `None` if none is.
pub(crate) fn run_with_servers(wanted: &[Server]) -> Result<Option<ExitCode>, BoxError> {
    const AGAIN: &str = "AUDIT_BENCH_AGAIN";
    let Some(missing) = wanted.iter().find_map(|server| url(*server).err()) else {
        return Ok(None);
    };
    if std::env::var_os(AGAIN).is_some() {
        return Err(missing);
    }
    let script = root().join("scripts").join("with-databases");
    let status = Command::new(&script)
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        // Servers that do not wait for the disk would make everything except the records look cheap.
        .env("WITH_DATABASES_DURABLE", "1")
        .env(AGAIN, "1")
        .status()
        .map_err(|error| format!("{} did not start: {error}", script.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Some(ExitCode::from(code.unwrap_or(1))))
}
