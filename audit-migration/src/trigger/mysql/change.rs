//! The triggers that record the changed row itself.
//!
//! One statement computes the record of the row. Where that fails, the trigger computes it again column by column, and
//! leaves out what cannot be computed, or marks it as unknown where it was only too long: the write itself never fails
//! for that. A dropped column (error 1054) is the usual reason, and the metadata records it.

use super::record::{self, Parts};
use super::table_sql::{Difference, Row, Subject, Unless, row};
use super::{quote, variable};

/// What is done to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Insert,
    Update,
    Delete,
}

impl Kind {
    const fn action(self) -> &'static str {
        match self {
            Self::Insert => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

const OUT_OF_DATE: &str = r#"{"trigger_out_of_date":true}"#;
const TOO_LONG: &str = r#"{"changes_too_long":true}"#;

/// The trigger's body.
pub(super) fn body(subject: &Subject<'_>, kind: Kind, log: &str, context: &str) -> String {
    let (old, new) = (row("OLD"), row("NEW"));
    // The object is named by the key that it had, and shown as it is now.
    let key: Row<'_> = if kind == Kind::Insert { &new } else { &old };
    let shown: Row<'_> = if kind == Kind::Delete { &old } else { &new };
    let of_columns: Vec<(usize, Vec<String>)> = subject
        .recorded()
        .map(|at| {
            let part = match kind {
                Kind::Insert => subject.whole(at, "new", &new),
                Kind::Delete => subject.whole(at, "old", &old),
                Kind::Update => subject.between(at, &old, &new).into_iter().collect(),
            };
            (at, part)
        })
        .collect();
    let about = about(subject, key, shown);
    let (changes, note) = (variable::CHANGES, variable::NOTE);
    let mut at_once = Adding::new(subject);
    for (at, part) in &of_columns {
        match kind {
            Kind::Insert => at_once.add(part, subject.whole_unless(*at, "new", &new)),
            Kind::Delete => at_once.add(part, subject.whole_unless(*at, "old", &old)),
            Kind::Update => {
                if let Some(difference) = subject.difference(*at, &old, &new) {
                    at_once.add_difference(&difference);
                }
            }
        }
    }
    let at_once = at_once.statements();
    let parts = Parts {
        action: kind.action(),
        object_id: variable::ID,
        label: variable::LABEL,
        changes,
        tenant: subject.plan.tenant.map(|_| variable::TENANT),
    };
    let write = format!(
        "{}\n{} VALUES ({});",
        record::read_context(context),
        record::insert(log),
        record::values(subject, &parts),
    );
    let write = if kind == Kind::Update {
        format!("IF {changes} <> '' THEN\n{write}\nEND IF;")
    } else {
        write
    };
    // An unchanged row is the quickest to detect.
    let about_if = if kind == Kind::Update {
        format!("IF {changes} <> '' THEN\n{about}END IF;\n")
    } else {
        about.clone()
    };
    format!(
        "BEGIN\n{declare}\n{doubt}{context}\
         BEGIN\n\
         DECLARE EXIT HANDLER FOR SQLEXCEPTION SET {changes} = NULL;\n\
         DECLARE EXIT HANDLER FOR 1054 SET {changes} = NULL, {note} = {out_of_date};\n\
         SET {changes} = '';\n\
         {at_once}\
         {about_if}\
         END;\n\
         IF {changes} IS NULL OR LENGTH({changes}) >= @@max_allowed_packet THEN\n{gently}END IF;\n\
         {write}\n\
         END",
        declare = record::declare(&[
            changes,
            note,
            variable::ID,
            variable::LABEL,
            variable::TENANT,
            variable::PIECE,
            variable::SECRETS,
        ]),
        doubt = record::declare_doubt(),
        context = record::declare_context(),
        out_of_date = quote::text(OUT_OF_DATE),
        gently = gently(subject, &of_columns, &about),
    )
}

/// The statements that add the columns to the changes, as few as can be.
struct Adding {
    statements: Vec<String>,
    /// What the next statement adds.
    parts: Vec<String>,
    secrets: String,
}

impl Adding {
    fn new(subject: &Subject<'_>) -> Self {
        Self {
            statements: Vec::new(),
            parts: Vec::new(),
            secrets: record::set_secrets(subject.secrets.as_deref()),
        }
    }

    fn add(&mut self, parts: &[String], unless: Option<Unless>) {
        match unless {
            None => self.parts.extend_from_slice(parts),
            Some(unless) => {
                let chosen = self.chosen(parts, &unless);
                self.alone(chosen);
            }
        }
    }

    fn add_difference(&mut self, difference: &Difference) {
        let Some(unless) = &difference.unless else {
            return self.parts.push(difference.piece());
        };
        let chosen = self.chosen(std::slice::from_ref(&difference.change), unless);
        self.alone(format!(
            "IF {} THEN\n{chosen}END IF;\n",
            difference.condition
        ));
    }

    fn chosen(&self, parts: &[String], unless: &Unless) -> String {
        let (document, doubt, secrets) = (variable::DOCUMENT, variable::DOUBT, &self.secrets);
        let looks = unless.documents.iter().map(|looked| {
            format!(
                "SET {document} = CONCAT(LOWER(CONVERT({text} USING utf8mb4)), ',');\n\
                 IF {may_doubt} THEN\nSET {doubt} = {doubt} OR {exactly};\nEND IF;\n",
                text = looked.text,
                may_doubt = looked.may_doubt,
                exactly = looked.doubt,
            )
        });
        let looks: String = looks.collect();
        let (exact, other) = (set(parts), set(&unless.parts));
        format!(
            "SET {doubt} = FALSE;\n{looks}\
             IF {doubt} THEN\n{secrets}{exact}ELSE\n{other}END IF;\n"
        )
    }

    /// Adds a statement after those that wait.
    fn alone(&mut self, statement: String) {
        self.flush();
        self.statements.push(statement);
    }

    fn flush(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() {
            self.statements.push(set(&parts));
        }
    }

    fn statements(mut self) -> String {
        self.flush();
        self.statements.concat()
    }
}

fn set(parts: &[String]) -> String {
    let changes = variable::CHANGES;
    format!("SET {changes} = CONCAT({changes}, {});\n", parts.join(", "))
}

/// The assignments that name and show the object.
fn about(subject: &Subject<'_>, key: Row<'_>, shown: Row<'_>) -> String {
    let (id, label) = (variable::ID, variable::LABEL);
    let set = |variable: &str, value: &str| format!("SET {variable} = {value};\n");
    let secrets = (subject.label_looks()).then(|| record::set_secrets(subject.secrets.as_deref()));
    let stored_id = subject.stored_id(id).map(|stored| set(id, &stored));
    let stored_label = subject.stored_label(label).map(|stored| {
        let (may_change, set) = (Subject::may_change(label), set(label, &stored));
        format!("IF {may_change} THEN\n{set}END IF;\n")
    });
    let tenant = (subject.tenant(shown)).map(|tenant| set(variable::TENANT, &tenant));
    let statements = [
        secrets,
        Some(set(id, &subject.object_id(key))),
        stored_id,
        Some(set(label, &subject.label(shown, id))),
        stored_label,
        tenant,
    ];
    statements.into_iter().flatten().collect()
}

/// The same column by column.
fn gently(subject: &Subject<'_>, parts: &[(usize, Vec<String>)], about: &str) -> String {
    let (changes, piece, note) = (variable::CHANGES, variable::PIECE, variable::NOTE);
    let begin = format!(
        "BEGIN\n\
         DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET {piece} = NULL;\n\
         DECLARE CONTINUE HANDLER FOR 1054 SET {piece} = '', {note} = {};\n\
         {}SET {note} = IFNULL({note}, {}), {changes} = '';\n",
        quote::text(OUT_OF_DATE),
        record::set_secrets(subject.secrets.as_deref()),
        quote::text(TOO_LONG),
    );
    let statements = parts.iter().map(|(at, parts)| {
        format!(
            "SET {piece} = CONCAT({});\n\
             SET {piece} = IFNULL({piece}, {}), {changes} = IFNULL(CONCAT({changes}, {piece}), {changes});\n",
            parts.join(", "),
            subject.unknown(*at),
        )
    });
    let statements: String = statements.collect();
    format!("{begin}{statements}{about}END;\n")
}
