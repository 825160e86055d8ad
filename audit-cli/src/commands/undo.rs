//! `undo`: an explanation.

use crate::args::Global;
use crate::error::Result;
use crate::output::Output;

const TEXT: &str = "\
A change is undone by the application: it writes rows, and so it needs the application's types, hooks and rules.
In the application, with the number of a record as `log` shows it:

    use sea_orm_audit::undo::Undo;

    let undo = Undo::record(17);
    let plan = undo.plan(&db).await?;  // what would be written, and what conflicts
    undo.apply(&db).await?;            // db is an AuditedConnection

Find the record here: `sea-orm-audit log`, `history`, `diff`.
The documentation of the module `sea_orm_audit::undo` has more.";

pub(super) fn explain(global: &Global) -> Result<u8> {
    let mut output = Output::new(global, false);
    if output.json {
        output.json(&serde_json::json!({ "undo": TEXT }))?;
    } else {
        output.line(TEXT)?;
    }
    output.finish()?;
    Ok(0)
}
