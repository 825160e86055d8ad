//! The object id, the label and the tenant of a row.

use sea_orm_audit_core::clean_text;
use sea_orm_audit_core::trigger_plan::LabelPart;

use super::super::quote;
use super::super::value::Form;
use super::{REDACTED, Row, Subject};

const LABEL: usize = 200;

impl Subject<'_> {
    fn key_is_free_text(&self) -> bool {
        self.plan.key.iter().any(|at| {
            self.plan.columns[*at].open
                && self.columns[*at].is_some_and(|column| column.form.is_free_text())
        })
    }

    /// The key as text, not yet shortened.
    pub(in crate::trigger::mysql) fn object_id(&self, row: Row<'_>) -> String {
        let columns = (self.plan.key.iter()).filter_map(|at| Some((*at, self.columns[*at]?)));
        let columns: Vec<_> = columns.collect();
        match columns.as_slice() {
            [(at, _)] if !self.plan.columns[*at].open => quote::text(REDACTED),
            [(_, column)] => column.form.text(&row(column.name)),
            [] => "NULL".to_owned(),
            many => {
                let parts = many.iter().map(|(at, column)| {
                    if self.plan.columns[*at].open {
                        column.form.json(&row(column.name))
                    } else {
                        quote::text(&quote::json(REDACTED))
                    }
                });
                let parts: Vec<_> = parts.collect();
                format!("CONCAT('[', {}, ']')", parts.join(", ',', "))
            }
        }
    }

    /// The key as it is stored, from its whole text.
    pub(in crate::trigger::mysql) fn stored_id(&self, id: &str) -> Option<String> {
        let nul = quote::text("\u{fffd}");
        (self.key_is_free_text()).then(|| {
            let short = fit(id, 600);
            format!("REPLACE({short}, CHAR(0 USING utf8mb4), {nul})")
        })
    }

    /// The label, not yet shortened.
    pub(in crate::trigger::mysql) fn label(&self, row: Row<'_>, id: &str) -> String {
        if self.plan.label.is_empty() {
            let model = clean_text(&self.plan.model, LABEL + 1);
            return format!("CONCAT({}, {id})", quote::text(&format!("{model} #")));
        }
        let parts = self.plan.label.iter().map(|part| match part {
            LabelPart::Text(text) => quote::text(&clean_text(text, LABEL + 1)),
            LabelPart::Column(at) => match self.columns[*at] {
                None => "'?'".to_owned(),
                Some(column) => {
                    let mut text = column.form.text(&row(column.name));
                    if column.form.is_free_text() {
                        text = format!("LEFT({text}, {})", LABEL + 1);
                    }
                    if let Some(is_secret) = self.is_secret(*at, column, row) {
                        text = format!("IF({is_secret}, {}, {text})", quote::text(REDACTED));
                    }
                    format!("IFNULL({text}, '')")
                }
            },
        });
        let parts: Vec<_> = parts.collect();
        format!("CONCAT({})", parts.join(", "))
    }

    /// A condition without a regular expression: whether the label may be stored otherwise than its whole text is.
    pub(in crate::trigger::mysql) fn may_change(label: &str) -> String {
        // Quoting adds two bytes, and more where there is a control character: only DEL stays as it is.
        format!(
            "LENGTH(JSON_QUOTE({label})) <> CHAR_LENGTH({label}) + 2 OR CHAR_LENGTH({label}) > {LABEL} \
             OR LOCATE(CHAR(127 USING utf8mb4), {label})"
        )
    }

    /// The label as it is stored, from its whole text, where that may be another.
    pub(in crate::trigger::mysql) fn stored_label(&self, label: &str) -> Option<String> {
        let short = format!(
            "IF(CHAR_LENGTH({label}) > {LABEL}, CONCAT(LEFT({label}, {}), {}), {label})",
            LABEL - 1,
            quote::text("…"),
        );
        // What is no free text and no fraction has 40 characters at most.
        let (free, longest) = if self.plan.label.is_empty() {
            // A key as JSON has quotes and commas, too.
            let longest = self.plan.model.chars().count() + 2 + 72 * self.plan.key.len();
            (self.key_is_free_text(), longest)
        } else {
            let parts = self.plan.label.iter().map(|part| match part {
                LabelPart::Text(text) => (false, text.chars().count()),
                LabelPart::Column(at) => {
                    (self.columns[*at]).map_or((false, 1), |column| match column.form {
                        Form::Float | Form::Decimal | Form::Bits => (false, LABEL),
                        form => (form.is_free_text(), 40),
                    })
                }
            });
            parts.fold((false, 0), |sum, part| (sum.0 || part.0, sum.1 + part.1))
        };
        if !free {
            return (longest > LABEL).then_some(short);
        }
        let mut harmless = short.clone();
        for code in (0..=0x1f).chain([0x7f]) {
            let picture = if code == 0x7f { 0x2421 } else { 0x2400 + code };
            let picture = char::from_u32(picture).unwrap_or(char::REPLACEMENT_CHARACTER);
            harmless = format!(
                "REPLACE({harmless}, CHAR({code} USING utf8mb4), {})",
                quote::text(&picture.to_string())
            );
        }
        let others = r"[\x{80}-\x{9F}\x{2028}-\x{202E}\x{2066}-\x{2069}]";
        let any = format!(r"[\x{{0}}-\x{{1F}}\x{{7F}}]|{others}");
        Some(format!(
            "IF({label} COLLATE utf8mb4_bin REGEXP {}, REGEXP_REPLACE({harmless}, {}, {}), {short})",
            quote::text(&any),
            quote::text(others),
            quote::text("\u{fffd}"),
        ))
    }

    /// The tenant that the row names.
    pub(in crate::trigger::mysql) fn tenant(&self, row: Row<'_>) -> Option<String> {
        let column = self.columns[self.plan.tenant?]?;
        let text = column.form.text(&row(column.name));
        Some(if column.form.is_free_text() {
            fit(&text, 255)
        } else {
            text
        })
    }
}

/// Text that fits a column, and stays different from others.
pub(in crate::trigger::mysql) fn fit(text: &str, limit: usize) -> String {
    let digest = "~sha256:".len() + 64;
    format!(
        "IF(CHAR_LENGTH({text}) > {limit}, \
         CONCAT(LEFT({text}, {}), '~sha256:', SHA2({text}, 256)), {text})",
        limit - digest,
    )
}
