//! The SQL for the record of a row of an audited table.

mod label;

use sea_orm_audit_core::trigger_plan::{LabelPart, TriggerPlan, TriggerTreatment};

use super::catalogue::{Catalogue, Server, Table};
use super::value::{Form, ODD_PART_HINT, may_have_odd_part};
use super::{quote, secret, variable};
pub(super) use label::fit;

/// How a column of a row is written: `NEW`.`title`.
pub(super) type Row<'r> = &'r dyn Fn(&str) -> String;

/// A named row.
pub(super) fn row(of: &'static str) -> impl Fn(&str) -> String {
    move |column| format!("{of}.{}", quote::name(column))
}

/// A plan and the table that it is for.
pub(super) struct Subject<'a> {
    pub(super) plan: &'a TriggerPlan,
    pub(super) table: Table,
    /// The columns of the plan, where the table has them.
    columns: Vec<Option<Column<'a>>>,
    server: Server,
    /// Where text beginning with a secret's key is looked for.
    pub(super) secrets: Option<String>,
    /// What documents hold that are to be looked at more closely, as a regular expression.
    hint: String,
    /// Texts of which a document with a secret has at least one.
    signs: Vec<String>,
}

#[derive(Clone, Copy)]
struct Column<'a> {
    name: &'a str,
    form: Form,
    kind: Option<&'a str>,
}

/// How a column may differ between two rows.
pub(super) struct Difference {
    /// Whether it does.
    pub(super) condition: String,
    pub(super) change: String,
    pub(super) unless: Option<Unless>,
}

impl Difference {
    /// The change as an expression, nothing where there is none.
    pub(super) fn piece(&self) -> String {
        format!("IF({}, {}, '')", self.condition, self.change)
    }
}

/// A change as a shorter expression, unless there is doubt about one of the column's documents. MariaDB compiles all
/// regular expressions of a statement each time that it runs it, whether they are evaluated or not: so they are kept
/// out of the statements that most rows need.
pub(super) struct Unless {
    pub(super) documents: Vec<Document>,
    pub(super) parts: Vec<String>,
}

/// A document that may have to be looked at more closely.
pub(super) struct Document {
    /// The document, as an expression.
    pub(super) text: String,
    /// A condition without a regular expression: whether there may be doubt. It holds wherever there is.
    pub(super) may_doubt: String,
    /// A condition: whether there is doubt.
    pub(super) doubt: String,
}

const REDACTED: &str = "[redacted]";
/// The recorded change of a value that could not be computed.
const UNKNOWN: &str = "{\"old_unknown\":true}";
const WITHHELD: &str = "{\"redacted\":true}";

impl<'a> Subject<'a> {
    pub(super) fn new(plan: &'a TriggerPlan, catalogue: &'a Catalogue) -> Self {
        let table = catalogue.table(plan.schema.as_deref(), plan.table);
        let known = catalogue.columns(&table);
        let columns = plan.columns.iter().map(|column| {
            // Names of columns are case-insensitive everywhere.
            let found = known.map(|known| {
                let wanted = column.name.to_lowercase();
                (known.iter()).find(|known| known.name.to_lowercase() == wanted)
            });
            let kind = match found {
                Some(None) => return None,
                Some(Some(found)) => Some(found.kind.as_str()),
                // There is no such table yet: the database will report it.
                None => None,
            };
            Some(Column {
                name: column.name,
                form: Form::of(&column.shape, kind),
                kind,
            })
        });
        let columns: Vec<_> = columns.collect();
        let has_documents = (columns.iter().zip(&plan.columns)).any(|(column, planned)| {
            column.is_some_and(|column| column.form == Form::Json)
                && planned.treatment == TriggerTreatment::Record
        });
        let pattern = secret::pattern(&plan.secrets).filter(|_| has_documents);
        Self {
            plan,
            table,
            columns,
            server: catalogue.server,
            secrets: pattern,
            hint: format!("{}|{ODD_PART_HINT}", secret::hint(&plan.secrets)),
            signs: secret::signs(&plan.secrets),
        }
    }

    /// The names of the key's columns that there are.
    pub(super) fn key(&self) -> Vec<&'a str> {
        let columns = self.plan.key.iter().filter_map(|at| self.columns[*at]);
        columns.map(|column| column.name).collect()
    }

    fn treatment(&self, at: usize) -> TriggerTreatment {
        self.plan.columns[at].treatment
    }

    /// The positions of the columns that are recorded.
    pub(super) fn recorded(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|at| {
            self.columns[*at].is_some() && self.treatment(*at) != TriggerTreatment::Leave
        })
    }

    /// The position of a recorded column.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let is = |at: &usize| self.plan.columns[*at].name.to_lowercase() == name;
        self.recorded().find(is)
    }

    /// `,"title":` as text.
    fn field(&self, at: usize) -> String {
        format!(",{}:", quote::json(self.plan.columns[at].name))
    }

    fn is_secret(&self, at: usize, column: Column<'_>, row: Row<'_>) -> Option<String> {
        let looks = self.secrets.is_some()
            && column.form == Form::Json
            && self.treatment(at) == TriggerTreatment::Record;
        looks.then(|| secret::is_in(&row(column.name), variable::SECRETS))
    }

    /// A row's document. None where the column has none, or is not shown.
    fn document(&self, at: usize, column: Column<'_>, row: Row<'_>) -> Option<Document> {
        let document = variable::DOCUMENT;
        let odd_part = may_have_odd_part(document);
        let (hint, signs) = match self.treatment(at) {
            TriggerTreatment::Record => {
                let has = |sign: &String| {
                    format!("LOCATE({}, {document})", quote::text(&sign.to_lowercase()))
                };
                let mut signs: Vec<String> = self.signs.iter().map(has).collect();
                signs.push(odd_part);
                (self.hint.as_str(), signs.join(" OR "))
            }
            TriggerTreatment::Plain => (ODD_PART_HINT, odd_part),
            TriggerTreatment::Redact | TriggerTreatment::Leave => return None,
        };
        (column.form == Form::Json).then(|| {
            let (text, short) = (row(column.name), secret::SHORT);
            let (hint, unicode) = (quote::text(hint), format!("CONVERT({text} USING utf8mb4)"));
            Document {
                may_doubt: format!(
                    "({text} IS NOT NULL AND IFNULL(LENGTH({text}) > {short} \
                     OR LENGTH({unicode}) <> CHAR_LENGTH({unicode}) OR {signs}, TRUE))"
                ),
                doubt: format!(
                    "(LENGTH({text}) > {short} OR \
                     IFNULL({unicode} COLLATE utf8mb4_bin REGEXP {hint}, TRUE))"
                ),
                text,
            }
        })
    }

    /// Whether the label needs the pattern of secrets' keys.
    pub(super) fn label_looks(&self) -> bool {
        let row = |name: &str| name.to_owned();
        self.plan.label.iter().any(|part| match part {
            LabelPart::Text(_) => false,
            LabelPart::Column(at) => {
                (self.columns[*at]).is_some_and(|it| self.is_secret(*at, it, &row).is_some())
            }
        })
    }

    /// The change of a column of a created or deleted row as a shorter expression, where there may be one.
    pub(super) fn whole_unless(&self, at: usize, word: &str, row: Row<'_>) -> Option<Unless> {
        let column = self.columns[at]?;
        Some(Unless {
            documents: vec![self.document(at, column, row)?],
            parts: vec![
                quote::text(&format!("{}{{\"{word}\":", self.field(at))),
                column.form.even_json(&row(column.name)),
                "'}'".to_owned(),
            ],
        })
    }

    /// The change of a column of a created (`new`) or deleted (`old`) row, as parts to be joined.
    pub(super) fn whole(&self, at: usize, word: &str, row: Row<'_>) -> Vec<String> {
        let Some(column) = self.columns[at] else {
            return Vec::new();
        };
        let field = self.field(at);
        if self.treatment(at) == TriggerTreatment::Redact {
            return vec![quote::text(&(field + WITHHELD))];
        }
        let value = column.form.json(&row(column.name));
        if let Some(is_secret) = self.is_secret(at, column, row) {
            return vec![
                quote::text(&field),
                format!(
                    "IF({is_secret}, {}, CONCAT({}, {value}, '}}'))",
                    quote::text(WITHHELD),
                    quote::text(&format!("{{\"{word}\":")),
                ),
            ];
        }
        vec![
            quote::text(&format!("{field}{{\"{word}\":")),
            value,
            "'}'".to_owned(),
        ]
    }

    /// The change of a column between two rows, nothing where it is the same.
    pub(super) fn between(&self, at: usize, old: Row<'_>, new: Row<'_>) -> Option<String> {
        Some(self.difference(at, old, new)?.piece())
    }

    /// Whether a column differs between two rows, and its change.
    pub(super) fn difference(&self, at: usize, old: Row<'_>, new: Row<'_>) -> Option<Difference> {
        let column = self.columns[at]?;
        let (was, is) = (old(column.name), new(column.name));
        let condition = column.form.differ(&was, &is, self.server, column.kind);
        let field = self.field(at);
        let withheld = quote::text(&format!("{field}{WITHHELD}"));
        if self.treatment(at) == TriggerTreatment::Redact {
            return Some(Difference {
                condition,
                change: withheld,
                unless: None,
            });
        }
        let change = |was: &str, is: &str| {
            format!(
                "CONCAT({}, {was}, ',\"new\":', {is}, '}}')",
                quote::text(&format!("{field}{{\"old\":")),
            )
        };
        let documents = (self.document(at, column, old)).zip(self.document(at, column, new));
        let unless = documents.map(|(old, new)| Unless {
            documents: vec![old, new],
            parts: vec![change(
                &column.form.even_json(&was),
                &column.form.even_json(&is),
            )],
        });
        let mut change = change(&column.form.json(&was), &column.form.json(&is));
        let secrets = (self.is_secret(at, column, old)).zip(self.is_secret(at, column, new));
        if let Some((was, is)) = secrets {
            change = format!("IF({was} OR {is}, {withheld}, {change})");
        }
        Some(Difference {
            condition,
            change,
            unless,
        })
    }

    /// The recorded change of a column whose values could not be computed.
    pub(super) fn unknown(&self, at: usize) -> String {
        quote::text(&(self.field(at) + UNKNOWN))
    }
}
