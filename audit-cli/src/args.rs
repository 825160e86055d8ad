//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sea_orm_audit_export::ExportFormat;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  nothing was found, or `doctor` found a problem
  2  the command line or the query is wrong
  3  the database cannot be read or written, or has no log
  4  the output could not be written, or an export is incomplete";

/// Marks a term of a query that begins with `-`, so that it is read as no option.
const EXCLUDED: char = '\u{1}';

/// The arguments, with marks before terms such as `-action:create` of a query.
pub(crate) fn marked(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut has_query = false;
    args.map(move |arg| {
        has_query |= arg == "log" || arg == "export";
        match arg.to_str() {
            Some(text) if has_query && is_excluding(text) => format!("{EXCLUDED}{text}").into(),
            _ => arg,
        }
    })
}

/// Whether this is `-KEY:VALUE`. An option of one letter has no such form.
fn is_excluding(text: &str) -> bool {
    let key = text.strip_prefix('-').and_then(|text| text.split_once(':'));
    key.is_some_and(|(key, _)| {
        key.len() > 1
            && key.starts_with(|char: char| char.is_alphabetic())
            && key.chars().all(|char| char.is_alphabetic() || char == '-')
    })
}

/// A query's text, of words that may be marked.
pub(crate) fn query_text(words: &[String]) -> String {
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.strip_prefix(EXCLUDED).unwrap_or(word))
        .collect();
    words.join(" ")
}

/// Reads the audit log of sea-orm-audit.
///
/// The log is found by `--database-url` or `DATABASE_URL`: `sqlite:FILE`, `postgres://..` or `mysql://..`. Only `export`
/// and `events resolve` write to it.
#[derive(Debug, Parser)]
#[command(name = "sea-orm-audit", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// The database. On a shared machine use the variable: other users see command lines.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) database_url: Option<String>,
    /// What the names of the audit tables begin with.
    #[arg(long, global = true, default_value = "audit_", value_name = "PREFIX")]
    pub(crate) table_prefix: String,
    /// The schema of the audit tables.
    #[arg(long, global = true, value_name = "SCHEMA")]
    pub(crate) schema: Option<String>,
    /// Writes JSON Lines, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Whether to use colours. `auto` does on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: Color,
    /// Does not show long output with $PAGER.
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Searches the log, the newest records first.
    Log(Log),
    /// Shows one record.
    Show {
        /// The number of the record.
        record: i64,
    },
    /// Shows all versions of an object, the oldest first.
    History(Object),
    /// Shows what differs between two versions of an object.
    Diff {
        #[command(flatten)]
        object: Object,
        /// A version such as `v2`, or the number of a record.
        from: String,
        /// Another one.
        to: String,
    },
    /// Shows who set each field of an object last.
    Blame(Object),
    /// Shows an object as it was.
    AsOf {
        #[command(flatten)]
        object: Object,
        /// The moment, UTC: `2026-03-05`, `2026-03-05T10:30`, `yesterday`, `24h` (ago). Of a longer period its begin.
        time: String,
    },
    /// Lists logins, failed logins and logouts, the newest first.
    Logins {
        /// Only of this name.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only failed and blocked ones.
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Lists events of the system that are not resolved, the newest first; or resolves one.
    #[command(args_conflicts_with_subcommands = true)]
    Events {
        /// Also resolved ones.
        #[arg(long)]
        resolved: bool,
        #[command(flatten)]
        limit: Limit,
        #[command(subcommand)]
        command: Option<EventCommand>,
    },
    /// Lists exports of data, the newest first.
    Exports {
        /// Only those that were begun and have no end.
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Counts what happened in a period.
    Summary {
        /// The last so many days.
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// Only what the actor with this id did.
        #[arg(long, value_name = "ID")]
        actor: Option<String>,
    },
    /// Writes what a query finds to a file. The log records the export.
    Export(Export),
    /// Shows how large the log is, and how it grows.
    Stats,
    /// Checks the log: tables, migrations, indexes, triggers, clocks.
    Doctor,
    /// Explains how changes are undone.
    Undo {
        /// Ignored.
        #[arg(hide = true)]
        rest: Vec<String>,
    },
    /// Writes the completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes the manual page, or one for each command into a folder.
    Man {
        /// The folder.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Log {
    /// The search, such as `model:order actor:7 created:7d`. Write `--` before a text to exclude, such as `-- -import`.
    #[arg(value_name = "QUERY")]
    pub(crate) query: Vec<String>,
    #[command(flatten)]
    pub(crate) limit: Limit,
    /// Continues from the cursor that an earlier call printed.
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    pub(crate) cursor: Option<String>,
    /// Shows the last records, the newest last, and then new ones as they are added.
    #[arg(long, short, conflicts_with = "all")]
    pub(crate) follow: bool,
    /// How often `--follow` looks for new records.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 1.0,
        requires = "follow"
    )]
    pub(crate) interval: f64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Limit {
    /// At most so many.
    #[arg(long, short = 'n', default_value_t = 50, value_name = "COUNT")]
    pub(crate) limit: u64,
    /// All of them.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

impl Limit {
    pub(crate) fn count(&self) -> u64 {
        if self.all { u64::MAX } else { self.limit }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Object {
    /// The model's name in the log.
    pub(crate) model: String,
    /// The object's id; for a composite key a JSON array.
    #[arg(allow_negative_numbers = true)]
    pub(crate) id: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// Marks an event as resolved.
    Resolve {
        /// The number of the event.
        event: i64,
        /// What was done.
        #[arg(long)]
        note: String,
        /// Who resolved it. By default the name of the operating system's user.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// The search, such as `model:order actor:7 created:7d`. Write `--` before a text to exclude, such as `-- -import`.
    #[arg(value_name = "QUERY")]
    pub(crate) query: Vec<String>,
    /// `csv`, `jsonl` or `parquet`. By default what the file's name ends with.
    #[arg(long, short)]
    pub(crate) format: Option<ExportFormat>,
    /// The file; without it, the standard output.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// Replaces the file if there is one.
    #[arg(long)]
    pub(crate) force: bool,
    /// At most so many records, the newest.
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Why, for the record of the export.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Does not record the export, for a database that can only be read.
    #[arg(long)]
    pub(crate) unrecorded: bool,
}
