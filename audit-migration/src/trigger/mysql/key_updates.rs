//! Which rows change with a key: those that refer to it, and where others refer to what changes in these, those, too.
//!
//! Rows that get a new value of a unique key are found by it after the change: with the foreign keys checked, no other
//! row refers to it. Where a reference is emptied, or refers to a key that is not unique, may be NULL, or is a text (of
//! which several forms are equal), all are found before it.

use super::catalogue::{Catalogue, ForeignKey, Rule, Table};
use super::quote;

/// InnoDB follows no more.
const LEVELS: usize = 15;

/// Rows of a table that change with a key.
pub(super) struct KeyUpdate<'a> {
    pub(super) table: &'a Table,
    /// `SELECT` of these rows as `x`, without what is selected.
    pub(super) from: String,
    /// The columns that change, and the columns of the changed row whose new values they get; `None` for NULL.
    pub(super) sets: Vec<(&'a str, Option<&'a str>)>,
    /// The condition under which any row changes: the key does change.
    pub(super) when: String,
    /// Whether they can be found after the change, too.
    is_lasting: bool,
}

/// When rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Before,
    After,
}

/// Everything that changes with a row of this table, and when it is found.
pub(super) fn moved<'a>(
    root: &Table,
    catalogue: &'a Catalogue,
    name: &dyn Fn(&Table) -> String,
) -> (Found, Vec<KeyUpdate<'a>>) {
    let after = moved_found(root, catalogue, name, Found::After);
    if after.iter().all(|moved| moved.is_lasting) {
        return (Found::After, after);
    }
    let before = moved_found(root, catalogue, name, Found::Before);
    (Found::Before, before)
}

fn moved_found<'a>(
    root: &Table,
    catalogue: &'a Catalogue,
    name: &dyn Fn(&Table) -> String,
    found: Found,
) -> Vec<KeyUpdate<'a>> {
    let mut all = Vec::new();
    let keys = (catalogue.foreign_keys.iter()).filter(|key| key.parent == *root);
    for key in keys {
        let new = (key.to.iter()).map(|column| (column.as_str(), Some(column.as_str())));
        let new: Vec<_> = new.collect();
        follow(
            root,
            catalogue,
            name,
            found,
            &mut vec![Step::of(key, &new)],
            &mut all,
        );
    }
    all
}

/// What changes with it as a delete empties the columns of this key: `from` are the rows `x` that have it.
pub(super) fn emptied<'a>(
    root: &Table,
    catalogue: &'a Catalogue,
    name: &dyn Fn(&Table) -> String,
    key: &'a ForeignKey,
    from: String,
) -> Vec<KeyUpdate<'a>> {
    let sets: Vec<_> = key.from.iter().map(|own| (own.as_str(), None)).collect();
    let mut all = vec![KeyUpdate {
        table: &key.child,
        from: from.clone(),
        sets: sets.clone(),
        when: "TRUE".to_owned(),
        is_lasting: false,
    }];
    let mut path = vec![Step {
        key,
        sets,
        moves: "TRUE".to_owned(),
        rows: Some(from),
    }];
    follow_on(root, catalogue, name, Found::Before, &mut path, &mut all);
    all
}

/// A key on the way from the changed row, and what changes by it.
struct Step<'a> {
    key: &'a ForeignKey,
    /// The rows `x` where it begins, unless these are the ones that refer to the changed row.
    rows: Option<String>,
    sets: Vec<(&'a str, Option<&'a str>)>,
    moves: String,
}

impl<'a> Step<'a> {
    /// A key to a table in which these columns change.
    fn of(key: &'a ForeignKey, new: &[(&str, Option<&'a str>)]) -> Self {
        let (mut sets, mut moves) = (Vec::new(), Vec::new());
        for (own, parents) in key.from.iter().zip(&key.to) {
            let same = |(column, _): &&(&str, Option<&str>)| column.eq_ignore_ascii_case(parents);
            let Some((_, value)) = new.iter().find(same) else {
                continue;
            };
            sets.push((own.as_str(), *value));
            moves.push(value.map_or_else(|| "TRUE".to_owned(), changes));
        }
        if key.on_update == Rule::SetNull && !sets.is_empty() {
            sets = key.from.iter().map(|own| (own.as_str(), None)).collect();
        }
        Self {
            key,
            sets,
            moves: format!("({})", moves.join(" OR ")),
            rows: None,
        }
    }
}

fn follow<'a>(
    root: &Table,
    catalogue: &'a Catalogue,
    name: &dyn Fn(&Table) -> String,
    found: Found,
    path: &mut Vec<Step<'a>>,
    all: &mut Vec<KeyUpdate<'a>>,
) {
    let Some(last) = path.last() else { return };
    let table = &last.key.child;
    // InnoDB refuses to change what refers to its own table, and a table that it is changing already.
    let is_known = |table: &Table| {
        *table == *root
            || path
                .iter()
                .rev()
                .skip(1)
                .any(|step| step.key.child == *table)
    };
    if last.key.on_update == Rule::Nothing || last.sets.is_empty() || is_known(table) {
        return;
    }
    let keeps_values = |step: &Step<'_>| step.sets.iter().all(|(_, new)| new.is_some());
    let is_identified = path[0].rows.is_none() && catalogue.identifies(root, &path[0].key.to);
    all.push(KeyUpdate {
        table,
        from: rows(path, found, name),
        sets: last.sets.clone(),
        when: when(root, &path[0], found, name),
        is_lasting: is_identified && path.iter().all(keeps_values),
    });
    follow_on(root, catalogue, name, found, path, all);
}

/// Whether the key does change, by which rows refer to the changed row; after the change, whether it has changed, as
/// `UPDATE IGNORE` fires triggers for rows that it leaves as they are, too.
fn when(root: &Table, step: &Step<'_>, found: Found, name: &dyn Fn(&Table) -> String) -> String {
    if found == Found::Before {
        return step.moves.clone();
    }
    let is_old = step.key.to.iter().map(|column| {
        let column = quote::name(column);
        format!("k.{column} = OLD.{column} AND CAST(k.{column} AS BINARY) = CAST(OLD.{column} AS BINARY)")
    });
    format!(
        "{} AND NOT EXISTS (SELECT 1 FROM {} k WHERE {})",
        step.moves,
        name(root),
        is_old.collect::<Vec<_>>().join(" AND ")
    )
}

/// The keys that refer to what changes at the end of a path.
fn follow_on<'a>(
    root: &Table,
    catalogue: &'a Catalogue,
    name: &dyn Fn(&Table) -> String,
    found: Found,
    path: &mut Vec<Step<'a>>,
    all: &mut Vec<KeyUpdate<'a>>,
) {
    let Some(last) = path.last().filter(|_| path.len() < LEVELS) else {
        return;
    };
    let (table, sets) = (&last.key.child, last.sets.clone());
    for key in (catalogue.foreign_keys.iter()).filter(|key| key.parent == *table) {
        path.push(Step::of(key, &sets));
        follow(root, catalogue, name, found, path, all);
        path.pop();
    }
}

/// The rows at the end of a path.
fn rows(path: &[Step<'_>], found: Found, name: &dyn Fn(&Table) -> String) -> String {
    let last = path.len().saturating_sub(1);
    let alias = |at: usize| {
        if at == last {
            "x".to_owned()
        } else {
            format!("p{at}")
        }
    };
    let refers = |at: usize, to: &str| {
        let key = path[at].key;
        let pairs = key.from.iter().zip(&key.to).map(|(own, parents)| {
            let (own, parents) = (quote::name(own), quote::name(parents));
            format!("{}.{own} = {to}.{parents}", alias(at))
        });
        pairs.collect::<Vec<_>>().join(" AND ")
    };
    let begin = path.first().and_then(|step| step.rows.as_deref());
    let table = |at: usize| match begin.filter(|_| at == 0) {
        Some(rows) => format!("(SELECT x.* {rows}) {}", alias(at)),
        None => format!("{} {}", name(&path[at].key.child), alias(at)),
    };
    // What is at the end may be a large table: it is read last.
    let joins = (1..=last).map(|at| {
        let refers = refers(at, &alias(at - 1));
        format!(" STRAIGHT_JOIN {} ON {refers}", table(at))
    });
    let joins: String = joins.collect();
    let changed = match found {
        Found::Before => "OLD",
        Found::After => "NEW",
    };
    let own = begin.is_none().then(|| refers(0, changed));
    let conditions: Vec<&str> = (own.iter().map(String::as_str))
        .chain(path.iter().map(|step| step.moves.as_str()))
        .collect();
    format!(
        "FROM {}{joins} WHERE {}",
        table(0),
        conditions.join(" AND ")
    )
}

/// A condition: whether a column of the row changes.
fn changes(column: &str) -> String {
    let column = quote::name(column);
    format!("NOT (CAST(OLD.{column} AS BINARY) <=> CAST(NEW.{column} AS BINARY))")
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Column, Server};
    use super::*;

    fn key(child: &str, from: &[&str], parent: &str, to: &[&str], rule: Rule) -> ForeignKey {
        let table = |name: &str| Table {
            schema: "s".into(),
            name: name.into(),
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ForeignKey {
            child: table(child),
            parent: table(parent),
            from: names(from),
            to: names(to),
            on_delete: Rule::Nothing,
            on_update: rule,
        }
    }

    #[test]
    fn changed_keys_are_followed_and_others_are_not() {
        let catalogue = Catalogue {
            server: Server::MySql,
            schema: "s".into(),
            columns: std::collections::HashMap::new(),
            unique: std::collections::HashMap::new(),
            foreign_keys: vec![
                key("b", &["a1", "a2"], "a", &["k1", "k2"], Rule::Cascade),
                key("c", &["b2"], "b", &["a2"], Rule::SetNull),
                key("d", &["b9"], "b", &["other"], Rule::Cascade),
                key("e", &["c2"], "c", &["b2"], Rule::Cascade),
                key("f", &["a1"], "a", &["k1"], Rule::Nothing),
                key("a", &["e2"], "e", &["c2"], Rule::Cascade),
                key("b", &["c9"], "c", &["b2"], Rule::Cascade),
            ],
        };
        let root = &catalogue.foreign_keys[0].parent;
        let (found, moved) = moved(root, &catalogue, &|table| table.name.clone());
        assert_eq!(found, Found::Before);
        let found: Vec<_> = moved
            .iter()
            .map(|it| (it.table.name.as_str(), &it.sets[..]))
            .collect();
        assert_eq!(
            found,
            [
                ("b", &[("a1", Some("k1")), ("a2", Some("k2"))][..]),
                ("c", &[("b2", None)]),
                ("e", &[("c2", None)]),
            ]
        );
        let k2 = "NOT (CAST(OLD.`k2` AS BINARY) <=> CAST(NEW.`k2` AS BINARY))";
        let k1 = k2.replace("k2", "k1");
        assert_eq!(
            moved[1].from,
            format!(
                "FROM b p0 STRAIGHT_JOIN c x ON x.`b2` = p0.`a2` WHERE p0.`a1` = OLD.`k1` AND p0.`a2` = OLD.`k2` \
                 AND ({k1} OR {k2}) AND ({k2})"
            )
        );
        assert!(moved[2].from.starts_with(
            "FROM b p0 STRAIGHT_JOIN c p1 ON p1.`b2` = p0.`a2` STRAIGHT_JOIN e x ON x.`c2` = p1.`b2` WHERE "
        ));
        let by_delete = emptied(
            root,
            &catalogue,
            &|table| table.name.clone(),
            &catalogue.foreign_keys[1],
            "FROM c x WHERE x.`b2` = gone".to_owned(),
        );
        let found: Vec<_> = by_delete
            .iter()
            .map(|it| (it.table.name.as_str(), it.from.as_str()))
            .collect();
        let first = "FROM c x WHERE x.`b2` = gone";
        let b = format!(
            "FROM (SELECT x.* {first}) p0 STRAIGHT_JOIN b x ON x.`c9` = p0.`b2` WHERE TRUE AND (TRUE)"
        );
        let e = b.replace("b x ON x.`c9`", "e x ON x.`c2`");
        assert_eq!(found, [("c", first), ("e", e.as_str()), ("b", b.as_str())]);
    }

    #[test]
    fn row_that_receives_a_unique_value_is_found_after_the_change() {
        let mut catalogue = Catalogue {
            server: Server::MySql,
            schema: "s".into(),
            columns: std::collections::HashMap::new(),
            unique: std::collections::HashMap::new(),
            foreign_keys: vec![
                key("b", &["a1"], "a", &["k1"], Rule::Cascade),
                key("c", &["b1"], "b", &["a1"], Rule::Cascade),
            ],
        };
        let root = catalogue.foreign_keys[0].parent.clone();
        let found = |catalogue: &Catalogue| {
            let (found, all) = moved(&root, catalogue, &|table| table.name.clone());
            let at = |row: &str| all[1].from.contains(&format!("WHERE p0.`a1` = {row}.`k1`"));
            (found, at("OLD"), at("NEW"))
        };
        let (before, after) = ((Found::Before, true, false), (Found::After, false, true));
        assert_eq!(found(&catalogue), before);
        let indexes = vec![vec!["other".to_owned()], vec!["K1".to_owned()]];
        catalogue.unique.insert(root.clone(), indexes);
        let column = |declared: &str, is_nullable| Column {
            name: "k1".into(),
            kind: "int".into(),
            declared: declared.into(),
            is_key: true,
            is_nullable,
        };
        for (column, expected) in [
            (column("int(11)", false), after),
            (column("int(11)", true), before),
            (
                column(
                    "varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                    false,
                ),
                before,
            ),
            (column("int(11)", false), after),
        ] {
            catalogue.columns.insert(root.clone(), vec![column]);
            assert_eq!(found(&catalogue), expected);
        }
        let emptied = key("d", &["b1"], "b", &["a1"], Rule::SetNull);
        catalogue.foreign_keys.push(emptied);
        assert_eq!(found(&catalogue), before);
    }
}
