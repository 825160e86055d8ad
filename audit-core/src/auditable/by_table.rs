//! Audited entities by the tables that statements name.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::{EntityInfo, audited_entities};

type ByTable = HashMap<String, Vec<&'static EntityInfo>>;

/// By table name in lower case. Contains what `inventory` lists, and what hooks have used since: `inventory` lists no
/// crate that the binary does not name.
static TABLES: LazyLock<RwLock<ByTable>> = LazyLock::new(|| {
    let mut tables = ByTable::new();
    for info in audited_entities() {
        add(&mut tables, info);
    }
    RwLock::new(tables)
});

fn add(tables: &mut ByTable, info: &'static EntityInfo) {
    let known = tables.entry(info.table().to_lowercase()).or_default();
    if !known.iter().any(|other| std::ptr::eq(*other, info)) {
        known.push(info);
    }
}

/// Makes sure that an entity is known.
pub(crate) fn register(info: &'static EntityInfo) {
    if find(info.table(), |other| std::ptr::eq(other, info)).is_none() {
        add(
            &mut TABLES.write().unwrap_or_else(PoisonError::into_inner),
            info,
        );
    }
}

/// The first entity of a table, compared without regard to case, that is accepted.
pub(crate) fn find(
    table: &str,
    accept: impl Fn(&'static EntityInfo) -> bool,
) -> Option<&'static EntityInfo> {
    let tables = TABLES.read().unwrap_or_else(PoisonError::into_inner);
    let known = match tables.get(table) {
        Some(known) => known,
        None => tables.get(table.to_lowercase().as_str())?,
    };
    // Of several entities of one table, prefers the one with the most columns, and any to a skipped one. The name makes
    // the choice the same in every build.
    (known.iter().copied())
        .filter(|info| accept(info))
        .min_by_key(|info| (info.skip, Reverse(info.columns.len()), info.type_name))
}

/// All entities that are known.
pub(crate) fn known() -> Vec<&'static EntityInfo> {
    let tables = TABLES.read().unwrap_or_else(PoisonError::into_inner);
    tables.values().flatten().copied().collect()
}
