//! Attributes → [`Model`]. Every mistake is kept with its span, and reading goes on.

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, DeriveInput, Error, Fields, FieldsNamed, LitStr, Path, Result, Token};

use crate::display;
use crate::model::{ChangeAction, Field, Model, Policy};

const STRUCT_KEYS: &str = "`name`, `module`, `display`, `tenant`, `only(..)`, `redact_by_default`, \
     `skip_actions(..)`, `skip`, `behavior = \"own\"`, `capture`, `crate`";
const FIELD_KEYS: &str = "`skip`, `redact`, `hash`, `plain`";

/// The longest name that the log's column holds.
const NAME_LIMIT: usize = 160;

/// Mistakes, each with its own message.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn check(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.add(error);
        }
    }

    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }
}

/// The named fields of a struct that can be a model, or what it is instead.
pub(crate) fn fields_of(input: &DeriveInput) -> Result<&FieldsNamed> {
    let data = match &input.data {
        syn::Data::Struct(data) => data,
        syn::Data::Enum(data) => {
            return Err(Error::new(
                data.enum_token.span,
                "`Auditable` goes on the `Model` struct of an entity, not on an enum",
            ));
        }
        syn::Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "`Auditable` goes on the `Model` struct of an entity, not on a union",
            ));
        }
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "`Auditable` does not work on generic structs, nor do SeaORM's models",
        ));
    }
    match &data.fields {
        Fields::Named(fields) if input.ident == "Model" => Ok(fields),
        Fields::Named(_) => Err(Error::new(
            input.ident.span(),
            "`Auditable` goes on the struct `Model` of an entity",
        )),
        Fields::Unnamed(_) | Fields::Unit => Err(Error::new(
            input.ident.span(),
            "`Auditable` goes on a `Model` with named fields",
        )),
    }
}

pub(crate) fn model(
    input: &DeriveInput,
    fields: &FieldsNamed,
    krate: Path,
    mistakes: &mut Mistakes,
) -> Model {
    let mut model = Model::plain(krate);
    let renamed = has_sea_orm_key(&input.attrs, "rename_all");
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        model
            .fields
            .extend(read_field(field, ident, renamed, mistakes));
    }
    let mut keys = Keys::default();
    for attr in audit_attributes(&input.attrs) {
        let result = attr.parse_nested_meta(|meta| {
            let key = keys.add(&meta, STRUCT_KEYS)?;
            struct_key(&mut model, &mut keys, &key, &meta)
        });
        mistakes.check(result);
    }
    if let Some((template, display)) = keys
        .display
        .as_ref()
        .map(|t| (t, display::parse(t, &model)))
    {
        let _ = template;
        match display {
            Ok(segments) => model.display = segments,
            Err(error) => mistakes.add(error),
        }
    }
    contradictions(&model, &keys, mistakes);
    model
}

/// The keys of one set of attributes, to find those that are given twice.
#[derive(Default)]
struct Keys {
    seen: Vec<Ident>,
    display: Option<LitStr>,
}

impl Keys {
    fn add(&mut self, meta: &ParseNestedMeta<'_>, valid: &str) -> Result<String> {
        let Some(ident) = meta.path.get_ident() else {
            return Err(meta.error(format!("unknown key; the keys are {valid}")));
        };
        if self.seen.iter().any(|seen| seen == ident) {
            return Err(meta.error(format!("`{ident}` is given twice")));
        }
        self.seen.push(ident.clone());
        Ok(ident.to_string())
    }

    fn get(&self, key: &str) -> Option<&Ident> {
        self.seen.iter().find(|ident| *ident == key)
    }
}

fn struct_key(
    model: &mut Model,
    keys: &mut Keys,
    key: &str,
    meta: &ParseNestedMeta<'_>,
) -> Result<()> {
    match key {
        "name" => {
            let name = text(meta)?;
            if name.value().is_empty() || name.value().chars().count() > NAME_LIMIT {
                let message = format!("a name has 1 to {NAME_LIMIT} characters");
                return Err(Error::new(name.span(), message));
            }
            model.name = Some(name.value());
        }
        "module" => model.module = Some(text(meta)?.value()),
        "display" => keys.display = Some(text(meta)?),
        "tenant" => {
            let name = text(meta)?;
            let column = column_of(model, &name.value(), name.span())?;
            model.tenant = Some(column);
        }
        "only" => {
            let listed = list(meta)?;
            if listed.is_empty() {
                return Err(meta.error("`only` needs at least one field"));
            }
            for ident in listed {
                let name = ident.unraw().to_string();
                let column = column_of(model, &name, ident.span())?;
                let skipped = model.field(&name).and_then(|field| field.policy);
                if skipped == Some(Policy::Skip) {
                    let message = format!("`{name}` is both in `only` and `skip`");
                    return Err(Error::new(ident.span(), message));
                }
                model.only.push(column);
            }
        }
        "redact_by_default" => model.redact_by_default = flag(meta)?,
        "skip" => model.skip = flag(meta)?,
        "skip_actions" => {
            for ident in list(meta)? {
                let action = match ident.to_string().as_str() {
                    "Create" => ChangeAction::Create,
                    "Update" => ChangeAction::Update,
                    "Delete" => ChangeAction::Delete,
                    _ => {
                        return Err(Error::new(
                            ident.span(),
                            "an entity has the actions `Create`, `Update` and `Delete`",
                        ));
                    }
                };
                if model.skip_actions.contains(&action) {
                    let message = format!("`{ident}` is given twice");
                    return Err(Error::new(ident.span(), message));
                }
                model.skip_actions.push(action);
            }
        }
        "behavior" => {
            let value = text(meta)?;
            if value.value() != "own" {
                let message = "the only behavior that can be named is \"own\"";
                return Err(Error::new(value.span(), message));
            }
            model.own_behavior = Some(value.span());
        }
        "capture" => {
            let value = text(meta)?;
            match value.value().as_str() {
                "hook" => {}
                "trigger" => {
                    return Err(Error::new(
                        value.span(),
                        "`capture = \"trigger\"` is reserved: this version captures by hooks only",
                    ));
                }
                _ => {
                    let message = "the ways of capture are \"hook\" and \"trigger\"";
                    return Err(Error::new(value.span(), message));
                }
            }
        }
        // Read before everything else, by `crate_path`.
        "crate" => drop(text(meta)?),
        _ => return Err(meta.error(format!("unknown key `{key}`; the keys are {STRUCT_KEYS}"))),
    }
    Ok(())
}

fn contradictions(model: &Model, keys: &Keys, mistakes: &mut Mistakes) {
    if !model.skip {
        return;
    }
    for key in ["skip_actions", "only", "redact_by_default"] {
        if let Some(ident) = keys.get(key) {
            let message = format!("`{key}` contradicts `skip`, which records nothing");
            mistakes.add(Error::new(ident.span(), message));
        }
    }
}

fn read_field(
    field: &syn::Field,
    ident: &Ident,
    all_renamed: bool,
    mistakes: &mut Mistakes,
) -> Option<Field> {
    let name = ident.unraw().to_string();
    let mut policy: Option<Policy> = None;
    let mut keys = Keys::default();
    for attr in audit_attributes(&field.attrs) {
        let result = attr.parse_nested_meta(|meta| {
            let key = keys.add(&meta, FIELD_KEYS)?;
            let stated = match key.as_str() {
                "skip" => Policy::Skip,
                "redact" => Policy::Redact,
                "hash" => Policy::Hash,
                "plain" => Policy::Plain,
                "encrypt" => {
                    return Err(
                        meta.error("`encrypt` is reserved: this version has `redact` and `hash`")
                    );
                }
                _ => {
                    let message = format!("unknown key `{key}`; the keys are {FIELD_KEYS}");
                    return Err(meta.error(message));
                }
            };
            flag(&meta)?;
            if let Some(other) = policy {
                let message = format!("`{key}` contradicts `{}`", other.key());
                return Err(meta.error(message));
            }
            policy = Some(stated);
            Ok(())
        });
        mistakes.check(result);
    }
    // SeaORM has no column for it.
    if has_sea_orm_key(&field.attrs, "ignore") {
        return None;
    }
    let variant =
        sea_orm_text(&field.attrs, "enum_name").unwrap_or_else(|| name.to_upper_camel_case());
    let column = syn::parse_str::<Ident>(&variant)
        .unwrap_or_else(|_| Ident::new_raw(&variant, ident.span()));
    Some(Field {
        renamed: all_renamed
            || has_sea_orm_key(&field.attrs, "column_name")
            || name != name.to_upper_camel_case().to_snake_case(),
        column: Ident::new(&column.to_string(), ident.span()),
        name,
        policy,
    })
}

fn column_of(model: &Model, name: &str, span: proc_macro2::Span) -> Result<Ident> {
    match model.field(name) {
        Some(field) => Ok(field.column.clone()),
        None => Err(Error::new(
            span,
            format!(
                "`{name}` is not a field of this model; its fields are {}",
                model.field_names()
            ),
        )),
    }
}

fn audit_attributes(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("audit"))
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    meta.value()?.parse()
}

fn flag(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        Ok(true)
    } else {
        Err(meta.error("this key takes no value"))
    }
}

fn list(meta: &ParseNestedMeta<'_>) -> Result<Punctuated<Ident, Token![,]>> {
    let content;
    syn::parenthesized!(content in meta.input);
    content.parse_terminated(Ident::parse_any, Token![,])
}

/// Visits the keys of `#[sea_orm(..)]`, whose mistakes are SeaORM's to report.
fn visit_sea_orm(attrs: &[Attribute], mut visit: impl FnMut(&ParseNestedMeta<'_>, Option<LitStr>)) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("sea_orm")) {
        let _ = attr.parse_nested_meta(|meta| {
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<proc_macro2::TokenStream>()?;
                visit(&meta, None);
            } else if meta.input.peek(Token![=]) {
                let value: syn::Expr = meta.value()?.parse()?;
                let text = match value {
                    syn::Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Str(text),
                        ..
                    }) => Some(text),
                    _ => None,
                };
                visit(&meta, text);
            } else {
                visit(&meta, None);
            }
            Ok(())
        });
    }
}

fn has_sea_orm_key(attrs: &[Attribute], key: &str) -> bool {
    let mut found = false;
    visit_sea_orm(attrs, |meta, _| found |= meta.path.is_ident(key));
    found
}

fn sea_orm_text(attrs: &[Attribute], key: &str) -> Option<String> {
    let mut found = None;
    visit_sea_orm(attrs, |meta, text| {
        if meta.path.is_ident(key) {
            found = text.map(|text| text.value());
        }
    });
    found
}

/// The `crate = ".."` of the attributes, by default `::sea_orm_audit`.
pub(crate) fn crate_path(attrs: &[Attribute], mistakes: &mut Mistakes) -> Path {
    let mut path: Path = syn::parse_quote!(::sea_orm_audit);
    for attr in audit_attributes(attrs) {
        // Everything but `crate` is read, and its mistakes reported, later.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                match text(&meta)?.parse() {
                    Ok(stated) => path = stated,
                    Err(error) => mistakes.add(error),
                }
            } else if meta.input.peek(Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<proc_macro2::TokenStream>()?;
            }
            Ok(())
        });
    }
    path
}
