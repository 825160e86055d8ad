//! The `display` template: `{title} (#{id})`.

use syn::{Error, LitStr, Result};

use crate::model::{Model, Policy, Segment};

/// Reads a template; `{{` and `}}` are braces.
pub(crate) fn parse(template: &LitStr, model: &Model) -> Result<Vec<Segment>> {
    let fail = |message: String| Err(Error::new(template.span(), message));
    let text = template.value();
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after_pair) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after_pair;
            continue;
        }
        if brace == "}" {
            return fail("`}` without `{`; write `}}` for a brace".into());
        }
        let Some((name, after_name)) = after.split_once('}') else {
            return fail("`{` without `}`; write `{{` for a brace".into());
        };
        let Some(field) = model.field(name) else {
            return fail(format!(
                "`{name}` is not a field of this model; its fields are {}",
                model.field_names()
            ));
        };
        if field.policy == Some(Policy::Skip) {
            return fail(format!("`{name}` is `skip`, so it cannot be shown"));
        }
        if !literal.is_empty() {
            segments.push(Segment::Text(std::mem::take(&mut literal)));
        }
        segments.push(Segment::Column(field.column.clone()));
        rest = after_name;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        segments.push(Segment::Text(literal));
    }
    Ok(segments)
}
