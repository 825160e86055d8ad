//! The `display` template: `{title} (#{id})`.

use syn::{Error, LitStr, Result};

use crate::model::{Model, Policy, Segment};

/// Reads a template; `{{` and `}}` are braces.
pub(crate) fn parse(template: &LitStr, model: &Model) -> Result<Vec<Segment>> {
    read(&template.value(), model).map_err(|message| Error::new(template.span(), message))
}

fn read(template: &str, model: &Model) -> std::result::Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after_pair) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after_pair;
            continue;
        }
        if brace == "}" {
            return Err("`}` without `{`; write `}}` for a brace".into());
        }
        let Some((name, after_name)) = after.split_once('}') else {
            return Err("`{` without `}`; write `{{` for a brace".into());
        };
        let name = name.trim();
        if name.is_empty() {
            return Err("`{}` names no field".into());
        }
        let field = model.field(name)?;
        if field.policy == Some(Policy::Skip) {
            return Err(format!("`{name}` is `skip`, so it cannot be shown"));
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
    if segments.is_empty() {
        return Err("an empty `display` shows nothing; leave it out for model and key".into());
    }
    Ok(segments)
}
