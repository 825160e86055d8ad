//! The tables of an earlier run, and its chart.

use std::path::Path as File;

use crate::BoxError;
use crate::chart;
use crate::report::section;
use crate::results::Run;

/// Reads a run, draws its chart, and returns its tables.
pub(crate) fn make(from: &File, chart: &File) -> Result<String, BoxError> {
    let text = std::fs::read_to_string(from)
        .map_err(|error| format!("{} cannot be read: {error}", from.display()))?;
    let run: Run = serde_json::from_str(&text)
        .map_err(|error| format!("{} is no run of this program: {error}", from.display()))?;
    chart::draw(&run, chart)?;
    let sections: Vec<String> = run.databases.iter().map(section).collect();
    Ok(sections.join("\n"))
}
