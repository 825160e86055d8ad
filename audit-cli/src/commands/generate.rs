//! `completions` and `man`.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::{Args, Global};
use crate::error::{CliError, Result};
use crate::output::Output;

const NAME: &str = "sea-orm-audit";

pub(super) fn completions(global: &Global, shell: Shell) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut text);
    write(global, &text)
}

pub(super) fn man(global: &Global, folder: Option<&Path>) -> Result<u8> {
    let mut command = Args::command();
    command.build();
    let Some(folder) = folder else {
        return write(global, &page(command)?);
    };
    let failed = |source| CliError::File {
        what: format!("the pages could not be written to {}", folder.display()),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let pages: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    for one in pages {
        let name = one.get_display_name().unwrap_or(one.get_name());
        let file = folder.join(format!("{name}.1"));
        fs::write(file, page(one)?).map_err(failed)?;
    }
    fs::write(folder.join(format!("{NAME}.1")), page(command)?).map_err(failed)?;
    Ok(0)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command).render(&mut text)?;
    Ok(text)
}

fn write(global: &Global, text: &[u8]) -> Result<u8> {
    let mut output = Output::new(global, false);
    output.bytes(text)?;
    output.finish()?;
    Ok(0)
}
