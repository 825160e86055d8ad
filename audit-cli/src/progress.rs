//! Progress of long work, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A counter of records on the standard error; hidden where that is no terminal.
pub(crate) fn records(about: Option<u64>) -> ProgressBar {
    let bar = match about {
        Some(about) => ProgressBar::new(about),
        None => ProgressBar::no_length(),
    };
    let template = match about {
        Some(_) => "{bar:32} {human_pos} of about {human_len} records, {per_sec}",
        None => "{spinner} {human_pos} records, {per_sec}",
    };
    // A wrong template leaves the default.
    let bar = match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A sign that something is done, on the standard error.
pub(crate) fn waiting(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
