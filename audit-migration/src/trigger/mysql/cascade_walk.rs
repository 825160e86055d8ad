//! Which rows are deleted along with a deleted one, as common table expressions: one for each table, with the keys of
//! its deleted rows.

use super::catalogue::{Catalogue, ForeignKey, Rule, Table};
use super::quote;

/// How many levels are followed where several tables refer to each other in a circle. A table that refers to
/// itself is followed to the end.
const LEVELS: usize = 8;

/// The tables whose rows are deleted along.
pub(super) struct Closure<'a> {
    root: Table,
    pub(super) row: Root,
    tables: Vec<CascadeCte>,
    /// The foreign keys by which rows are deleted.
    keys: Vec<&'a ForeignKey>,
    expressions: Vec<String>,
}

struct CascadeCte {
    table: Table,
    /// As it is named in the trigger.
    name: String,
    /// What is kept of its rows: their key, and what others refer to.
    columns: Vec<String>,
}

impl<'a> Closure<'a> {
    pub(super) fn of(
        root: &Table,
        catalogue: &'a Catalogue,
        name: impl Fn(&Table) -> String,
    ) -> Self {
        let mut closure = Self {
            root: root.clone(),
            row: Root::of(root, catalogue),
            tables: Vec::new(),
            keys: Vec::new(),
            expressions: Vec::new(),
        };
        let mut parents = vec![root.clone()];
        while let Some(parent) = parents.pop() {
            for key in &catalogue.foreign_keys {
                if key.parent != parent
                    || key.on_delete != Rule::Cascade
                    || closure.keys.iter().any(|known| std::ptr::eq(*known, key))
                {
                    continue;
                }
                closure.keys.push(key);
                if closure.position(&key.child).is_none() {
                    let mut columns = key_of(catalogue, &key.child);
                    let referred = (catalogue.foreign_keys.iter())
                        .filter(|other| other.parent == key.child)
                        .flat_map(|other| &other.to);
                    for column in referred {
                        if !columns.contains(column) {
                            columns.push(column.clone());
                        }
                    }
                    closure.tables.push(CascadeCte {
                        name: name(&key.child),
                        table: key.child.clone(),
                        columns,
                    });
                    parents.push(key.child.clone());
                }
            }
        }
        // A table that nothing refers to and that has no key: its rows cannot be distinguished, and lead to no others.
        closure.tables.retain(|going| !going.columns.is_empty());
        closure.express();
        closure
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().map(|going| &going.table)
    }

    fn position(&self, table: &Table) -> Option<usize> {
        self.tables.iter().position(|going| going.table == *table)
    }

    /// The keys by which rows of a table are deleted with those of another.
    fn between(&self, child: usize, parent: usize) -> impl Iterator<Item = &'a ForeignKey> + '_ {
        (self.keys.iter().copied()).filter(move |key| {
            key.child == self.tables[child].table && key.parent == self.tables[parent].table
        })
    }

    fn express(&mut self) {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < self.tables.len() {
            // Those that wait for no other table.
            let next = (0..self.tables.len()).find(|child| {
                !order.contains(child)
                    && (0..self.tables.len()).all(|parent| {
                        parent == *child
                            || order.contains(&parent)
                            || self.between(*child, parent).next().is_none()
                    })
            });
            let Some(next) = next else {
                self.expressions = self.level_by_level();
                return;
            };
            order.push(next);
        }
        self.expressions = order
            .iter()
            .map(|child| self.at_once(*child, &order))
            .collect();
    }

    fn at_once(&self, child: usize, order: &[usize]) -> String {
        let mut terms = self.begin(child);
        let others = order.iter().take_while(|at| **at != child);
        for parent in others.chain([&child]) {
            for key in self.between(child, *parent) {
                terms.push(self.select(child, &self.reached(key, *parent, &cte(*parent), "x")));
            }
        }
        self.expression(&cte(child), child, &terms)
    }

    fn level_by_level(&self) -> Vec<String> {
        let level = |at: usize, level: usize| format!("{}_{level}", cte(at));
        let mut expressions = Vec::new();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for depth in 0..LEVELS {
            for child in 0..self.tables.len() {
                let mut terms = if depth == 0 {
                    self.begin(child)
                } else {
                    Vec::new()
                };
                for parent in 0..self.tables.len() {
                    if depth == 0 || !found.contains(&(parent, depth - 1)) {
                        continue;
                    }
                    for key in self.between(child, parent) {
                        let source = level(parent, depth - 1);
                        terms.push(self.select(child, &self.reached(key, parent, &source, "x")));
                    }
                }
                if !terms.is_empty() {
                    found.push((child, depth));
                    expressions.push(self.expression(&level(child, depth), child, &terms));
                }
            }
        }
        for child in 0..self.tables.len() {
            let levels = found.iter().filter(|(at, _)| *at == child);
            let terms: Vec<_> = levels
                .map(|(at, depth)| format!("SELECT * FROM {}", level(*at, *depth)))
                .collect();
            expressions.push(self.expression(&cte(child), child, &terms));
        }
        expressions
    }

    fn expression(&self, name: &str, table: usize, terms: &[String]) -> String {
        let columns: Vec<_> = (0..self.tables[table].columns.len())
            .map(|n| format!("a{n}"))
            .collect();
        format!(
            "{name} ({}) AS ({})",
            columns.join(", "),
            terms.join(" UNION ")
        )
    }

    /// The rows that are deleted with the root's row itself.
    fn begin(&self, child: usize) -> Vec<String> {
        let keys = self
            .keys
            .iter()
            .filter(|key| key.child == self.tables[child].table && key.parent == self.root);
        keys.map(|key| self.select(child, &self.direct(key, "x")))
            .collect()
    }

    fn select(&self, child: usize, from: &str) -> String {
        let columns = self.tables[child].columns.iter();
        let columns: Vec<_> = columns
            .map(|name| format!("x.{}", quote::name(name)))
            .collect();
        format!("SELECT {} {from}", columns.join(", "))
    }

    /// The rows that refer to the root's row.
    pub(super) fn direct(&self, key: &ForeignKey, alias: &str) -> String {
        let pairs =
            key.from.iter().zip(&key.to).map(|(from, to)| {
                format!("{alias}.{} = {}", quote::name(from), self.row.variable(to))
            });
        let refers = pairs.collect::<Vec<_>>().join(" AND ");
        let name = self.table_name(&key.child);
        let mut text = format!("FROM {name} {alias} WHERE {refers}");
        if key.child == self.root {
            text.push_str(" AND ");
            text.push_str(&self.row.is_other(alias));
        }
        text
    }

    /// The rows that refer to deleted rows.
    pub(super) fn through(&self, key: &ForeignKey, alias: &str) -> Option<String> {
        let parent = self.position(&key.parent)?;
        Some(self.reached(key, parent, &cte(parent), alias))
    }

    fn reached(&self, key: &ForeignKey, parent: usize, source: &str, alias: &str) -> String {
        let pairs = key.from.iter().zip(&key.to).map(|(from, to)| {
            let at = self.tables[parent]
                .columns
                .iter()
                .position(|column| column == to);
            format!(
                "{alias}.{} = p.a{}",
                quote::name(from),
                at.unwrap_or_default()
            )
        });
        let pairs: Vec<_> = pairs.collect();
        let name = self.table_name(&key.child);
        let mut text = format!(
            "FROM {source} p STRAIGHT_JOIN {name} {alias} ON {}",
            pairs.join(" AND ")
        );
        if key.child == self.root {
            text.push_str(" WHERE ");
            text.push_str(&self.row.is_other(alias));
        }
        text
    }

    fn table_name(&self, table: &Table) -> String {
        if let Some(at) = self.position(table) {
            return self.tables[at].name.clone();
        }
        let schema = (table.schema != self.root.schema).then_some(table.schema.as_str());
        quote::qualified(schema, &table.name)
    }

    fn matched(&self, at: usize, key: &[&str], alias: &str) -> Option<String> {
        let columns = &self.tables[at].columns;
        let pairs = key.iter().map(|name| {
            let n = columns
                .iter()
                .position(|column| column.eq_ignore_ascii_case(name))?;
            Some(format!("x.{} = {alias}.a{n}", quote::name(name)))
        });
        let pairs: Option<Vec<_>> = pairs.collect();
        pairs
            .filter(|pairs| !pairs.is_empty())
            .map(|pairs| pairs.join(" AND "))
    }

    /// The rows `x` of a table that are deleted. The deleted rows are read first: the tables may be large.
    pub(super) fn joined(&self, table: &Table, key: &[&str]) -> Option<String> {
        let at = self.position(table)?;
        let (cte, name) = (cte(at), &self.tables[at].name);
        let matched = self.matched(at, key, "g")?;
        Some(format!("{cte} g STRAIGHT_JOIN {name} x ON {matched}"))
    }

    /// A condition that leaves out the rows `x` of a table that are deleted.
    pub(super) fn gone(&self, table: &Table, key: &[&str]) -> String {
        let matched = (self.position(table)).and_then(|at| Some((at, self.matched(at, key, "k")?)));
        matched.map_or_else(String::new, |(at, matched)| {
            format!(
                " AND NOT EXISTS (SELECT 1 FROM {} k WHERE {matched})",
                cte(at)
            )
        })
    }

    /// The beginning of a statement that uses these expressions.
    pub(super) fn with(&self) -> String {
        if self.expressions.is_empty() {
            return String::new();
        }
        format!("WITH RECURSIVE {} ", self.expressions.join(", "))
    }
}

fn cte(at: usize) -> String {
    format!("sea_orm_audit_g{at}")
}

fn key_of(catalogue: &Catalogue, table: &Table) -> Vec<String> {
    let columns = catalogue.columns(table).unwrap_or_default().iter();
    let key = columns.filter(|column| column.is_key);
    key.map(|column| column.name.clone()).collect()
}

/// The values of the root's row that others refer to, and its key, as variables: MariaDB reads an expression that is
/// used twice again, and then does not find `OLD`.
pub(super) struct Root {
    /// Their names and declared types.
    columns: Vec<(String, String)>,
    key: Vec<String>,
}

impl Root {
    fn of(root: &Table, catalogue: &Catalogue) -> Self {
        let key = key_of(catalogue, root);
        let known = catalogue.columns(root).unwrap_or_default().iter();
        let referred = |name: &String| {
            (catalogue.foreign_keys.iter())
                .any(|foreign| foreign.parent == *root && foreign.to.contains(name))
        };
        let columns = known
            .filter(|column| key.contains(&column.name) || referred(&column.name))
            .map(|column| (column.name.clone(), column.declared.clone()));
        Self {
            columns: columns.collect(),
            key,
        }
    }

    fn variable(&self, name: &str) -> String {
        match self.columns.iter().position(|(column, _)| column == name) {
            Some(at) => format!("sea_orm_audit_old_{at}"),
            None => format!("OLD.{}", quote::name(name)),
        }
    }

    /// Declares the variables.
    pub(super) fn declare(&self) -> String {
        let declare = |(name, declared): &(String, String)| {
            format!("DECLARE {} {declared};\n", self.variable(name))
        };
        self.columns.iter().map(declare).collect()
    }

    /// Sets them, where there are such columns.
    pub(super) fn set(&self) -> String {
        let set = |(name, _): &(String, String)| {
            format!("SET {} = OLD.{};\n", self.variable(name), quote::name(name))
        };
        let all: String = self.columns.iter().map(set).collect();
        format!("BEGIN\nDECLARE CONTINUE HANDLER FOR 1054 BEGIN END;\n{all}END;\n")
    }

    /// A condition: whether a row is another one than the root's.
    pub(super) fn is_other(&self, alias: &str) -> String {
        let pairs = self
            .key
            .iter()
            .map(|name| format!("{alias}.{} <=> {}", quote::name(name), self.variable(name)));
        let pairs: Vec<_> = pairs.collect();
        format!("NOT ({})", pairs.join(" AND "))
    }
}
