//! Output: the terminal, a pager, or a pipe.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::args::{Color, Global};
use crate::error::Result;
use crate::text::to_json;

/// Where a command writes to.
pub(crate) struct Output {
    writer: Option<Box<dyn Write>>,
    pager: Option<Child>,
    /// JSON Lines instead of tables.
    pub(crate) json: bool,
    pub(crate) paint: Paint,
    /// The width of the terminal; `None` where the output is no terminal.
    pub(crate) width: Option<u16>,
}

impl Output {
    /// `may_page` where a pager can show it: not for what goes on and on.
    pub(crate) fn new(global: &Global, may_page: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let paint = Paint {
            on: match global.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => {
                    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
                }
            },
        };
        let is_paged = is_terminal && may_page && !global.no_pager && !global.json;
        let mut pager = is_paged.then(start_pager).flatten();
        let input = pager.as_mut().and_then(|pager| pager.stdin.take());
        let writer: Box<dyn Write> = match input {
            Some(input) => Box::new(BufWriter::new(input)),
            None => Box::new(BufWriter::new(io::stdout())),
        };
        let width =
            is_terminal.then(|| terminal_size::terminal_size().map_or(80, |(width, _)| width.0));
        Self {
            writer: Some(writer),
            pager,
            json: global.json,
            paint,
            width,
        }
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Result {
        if let Some(writer) = &mut self.writer {
            writeln!(writer, "{line}")?;
        }
        Ok(())
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result {
        let line = to_json(value)?;
        self.line(line)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result {
        if let Some(writer) = &mut self.writer {
            writer.write_all(bytes)?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
        }
        Ok(())
    }

    /// Writes the rest, and waits until the pager is closed.
    pub(crate) fn finish(mut self) -> Result {
        let flushed = self.flush();
        self.writer = None;
        if let Some(mut pager) = self.pager.take() {
            pager.wait()?;
        }
        flushed
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.writer = None;
        if let Some(mut pager) = self.pager.take() {
            // The command failed: its error is reported after the pager is closed.
            drop(pager.wait());
        }
    }
}

/// The standard output as a file of its own.
pub(crate) fn stdout_file() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
    }
}

/// `$PAGER` as the shell reads it, else `less`. Without one, the output goes to the terminal.
fn start_pager() -> Option<Child> {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if pager.trim().is_empty() || pager == "cat" {
        return None;
    }
    let mut command = if cfg!(windows) {
        Command::new(pager)
    } else {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(pager);
        shell
    };
    if std::env::var_os("LESS").is_none() {
        // Quit where one screen shows all, keep colours, and leave the text on the screen.
        command.env("LESS", "FRX");
    }
    command.stdin(Stdio::piped()).spawn().ok()
}

/// Colours, where they are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    pub(crate) on: bool,
}

impl Paint {
    fn with(self, style: Style, text: impl Display) -> String {
        if self.on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(crate) fn removed(self, text: impl Display) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    pub(crate) fn added(self, text: impl Display) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn warning(self, text: impl Display) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }
}
