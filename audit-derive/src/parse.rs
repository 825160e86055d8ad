//! Attributes → [`Model`]. Every mistake is kept with its span, and parsing continues.
//!
//! One file, because the keys of both attributes share their errors.

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, DeriveInput, Error, Fields, FieldsNamed, LitStr, Path, Result, Token};

use crate::display;
use crate::model::{Behavior, ChangeAction, Field, Model, Policy};

const STRUCT_KEYS: &str = "`name`, `module`, `display`, `tenant`, `soft_delete`, `only(..)`, \
     `redact_by_default`, `skip_actions(..)`, `skip`, `behavior = \"own\"`, `capture`, `crate`";
const FIELD_KEYS: &str = "`skip`, `redact`, `hash`, `plain`, `was`";

/// The longest model name that the log's column holds.
const NAME_LIMIT: usize = 160;
/// The longest module that the log's column holds.
const MODULE_LIMIT: usize = 255;

/// Diagnostics, each with its own message.
#[derive(Default)]
pub(crate) struct Diagnostics(Option<Error>);

impl Diagnostics {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
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
    mistakes: &mut Diagnostics,
) -> Model {
    let mut model = Model::plain(krate);
    // Without a table's name here the entity is in the expanded form, where the user writes `Column` manually and its
    // names are not visible.
    let names_unknown =
        has_sea_orm_key(&input.attrs, "rename_all") || !has_sea_orm_key(&input.attrs, "table_name");
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let read = read_field(field, ident, names_unknown, mistakes);
        model.fields.extend(read);
    }
    let mut late = Late::default();
    let keys = read_keys(&input.attrs, STRUCT_KEYS, mistakes, |key, meta| {
        struct_key(&mut model, &mut late, key, meta)
    });
    if let Err(error) = late.resolve(&mut model) {
        mistakes.add(error);
    }
    contradictions(&model, &keys, mistakes);
    model
}

/// What can be parsed only after all else.
#[derive(Default)]
struct Late {
    display: Option<LitStr>,
    tenant: Option<LitStr>,
    soft_delete: Option<LitStr>,
}

impl Late {
    fn resolve(self, model: &mut Model) -> Result<()> {
        if let Some(template) = self.display {
            model.display = display::parse(&template, model)?;
        }
        if let Some(name) = self.tenant {
            model.tenant = Some(tenant(&name, model)?);
        }
        if let Some(name) = self.soft_delete {
            model.soft_delete = Some(soft_delete(&name, model)?);
        }
        Ok(())
    }
}

/// The column that names the tenant, which is stored beside the changes.
fn tenant(stated: &LitStr, model: &Model) -> Result<Ident> {
    let fail = |message| Error::new(stated.span(), message);
    let name = stated.value();
    let field = model.field(&name).map_err(fail)?;
    match model.why_hidden(field) {
        Some(why) => Err(fail(format!(
            "`{name}` {why}, so it cannot name the tenant"
        ))),
        None => Ok(field.column.clone()),
    }
}

/// The column that says that a row is deleted.
fn soft_delete(stated: &LitStr, model: &Model) -> Result<Ident> {
    let fail = |message| Error::new(stated.span(), message);
    let name = stated.value();
    let field = model.field(&name).map_err(fail)?;
    let why = match model.why_hidden(field) {
        None if model.leaves_out(field) => Some("is not in `only`"),
        None if !field.may_be_unset => Some("is neither an `Option` nor a `bool`"),
        why => why,
    };
    match why {
        Some(why) => Err(fail(format!(
            "`{name}` {why}, so it cannot say that a row is deleted"
        ))),
        None => Ok(field.column.clone()),
    }
}

/// Whether a type is `Option` or `bool`, by its last name.
fn may_be_unset(ty: &syn::Type) -> bool {
    let syn::Type::Path(path) = ty else {
        return false;
    };
    (path.path.segments.last()).is_some_and(|last| last.ident == "Option" || last.ident == "bool")
}

/// Reads the `#[audit(..)]` of one item and returns its keys. A mistake ends its key, not the attribute, so that the
/// next mistake is reported, too.
fn read_keys(
    attrs: &[Attribute],
    valid: &str,
    mistakes: &mut Diagnostics,
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> Result<()>,
) -> Vec<Ident> {
    let mut seen: Vec<Ident> = Vec::new();
    for attr in audit_attributes(attrs) {
        let syntax = attr.parse_nested_meta(|meta| {
            let known = match meta.path.get_ident() {
                None => Err(meta.error(format!("unknown key; the keys are {valid}"))),
                Some(ident) if seen.contains(ident) => {
                    Err(meta.error(format!("`{ident}` is given twice")))
                }
                Some(ident) => Ok(ident),
            };
            let result = known.and_then(|ident| {
                seen.push(ident.clone());
                read(&ident.to_string(), &meta)
            });
            if let Err(error) = result {
                mistakes.add(error);
            }
            skip_value(&meta)
        });
        if let Err(error) = syntax {
            mistakes.add(error);
        }
    }
    seen
}

fn struct_key(
    model: &mut Model,
    late: &mut Late,
    key: &str,
    meta: &ParseNestedMeta<'_>,
) -> Result<()> {
    match key {
        "name" => model.name = Some(short_text(meta, "a name", NAME_LIMIT)?),
        "module" => model.module = Some(short_text(meta, "a module", MODULE_LIMIT)?),
        "display" => late.display = Some(text(meta)?),
        "tenant" => late.tenant = Some(text(meta)?),
        "soft_delete" => late.soft_delete = Some(text(meta)?),
        "only" => {
            for ident in list(meta, "only(title, body)")? {
                let name = ident.unraw().to_string();
                let fail = |message| Error::new(ident.span(), message);
                let field = model.field(&name).map_err(fail)?;
                if field.policy == Some(Policy::Skip) {
                    return Err(fail(format!("`{name}` is both in `only` and `skip`")));
                }
                if model.only.contains(&name) {
                    return Err(fail(format!("`{name}` is given twice")));
                }
                model.only.push(name);
            }
        }
        "redact_by_default" => model.redact_by_default = flag(meta)?,
        "skip" => model.skip = flag(meta)?,
        "skip_actions" => {
            for ident in list(meta, "skip_actions(Update)")? {
                let action = change_action(&ident)?;
                if model.skip_actions.contains(&action) {
                    let message = format!("`{ident}` is given twice");
                    return Err(Error::new(ident.span(), message));
                }
                model.skip_actions.push(action);
            }
        }
        "behavior" => {
            model.behavior = Behavior::Mistaken;
            let value = text(meta)?;
            if value.value() != "own" {
                let message = "the only behavior that can be named is \"own\"";
                return Err(Error::new(value.span(), message));
            }
            model.behavior = Behavior::Own(value.span());
        }
        "capture" => {
            let value = text(meta)?;
            model.by_trigger = match value.value().as_str() {
                "hook" => false,
                "trigger" => true,
                _ => {
                    let message = "the ways of capture are \"hook\" and \"trigger\"";
                    return Err(Error::new(value.span(), message));
                }
            };
        }
        // Read before everything else, by `crate_path`.
        "crate" => drop(text(meta)?),
        _ => return Err(meta.error(format!("unknown key `{key}`; the keys are {STRUCT_KEYS}"))),
    }
    Ok(())
}

fn change_action(ident: &Ident) -> Result<ChangeAction> {
    Ok(match ident.to_string().as_str() {
        "Create" => ChangeAction::Create,
        "Update" => ChangeAction::Update,
        "Delete" => ChangeAction::Delete,
        _ => {
            let message = "an entity has the actions `Create`, `Update` and `Delete`";
            return Err(Error::new(ident.span(), message));
        }
    })
}

fn contradictions(model: &Model, keys: &[Ident], mistakes: &mut Diagnostics) {
    if !model.skip {
        return;
    }
    for ident in keys {
        if ["skip_actions", "only", "redact_by_default"].contains(&ident.to_string().as_str()) {
            let message = format!("`{ident}` contradicts `skip`, which records nothing");
            mistakes.add(Error::new(ident.span(), message));
        }
    }
}

fn read_field(
    field: &syn::Field,
    ident: &Ident,
    names_unknown: bool,
    mistakes: &mut Diagnostics,
) -> Option<Field> {
    let name = ident.unraw().to_string();
    let mut policy: Option<Policy> = None;
    let mut was = None;
    read_keys(&field.attrs, FIELD_KEYS, mistakes, |key, meta| {
        let stated = match key {
            "was" => {
                was = Some(text(meta)?.value());
                return Ok(());
            }
            "skip" => Policy::Skip,
            "redact" => Policy::Redact,
            "hash" => Policy::Hash,
            "plain" => Policy::Plain,
            "encrypt" => {
                let message = "`encrypt` is reserved: this version has `redact` and `hash`";
                return Err(meta.error(message));
            }
            _ => {
                let message = format!("unknown key `{key}`; the keys are {FIELD_KEYS}");
                return Err(meta.error(message));
            }
        };
        flag(meta)?;
        if let Some(other) = policy {
            return Err(meta.error(format!("`{key}` contradicts `{}`", other.key())));
        }
        policy = Some(stated);
        Ok(())
    });
    // SeaORM has no column for it.
    if has_sea_orm_key(&field.attrs, "ignore") {
        return None;
    }
    let variant = sea_orm_text(&field.attrs, "enum_name");
    let camel = name.to_upper_camel_case();
    Some(Field {
        renamed: names_unknown
            || variant.is_some()
            || has_sea_orm_key(&field.attrs, "column_name")
            || name != camel.to_snake_case(),
        column: column_variant(&variant.unwrap_or(camel), ident.span()),
        key: has_sea_orm_key(&field.attrs, "primary_key"),
        name,
        policy,
        may_be_unset: may_be_unset(&field.ty),
        was,
    })
}

/// The variant of `Column`, spelled as SeaORM spells it.
fn column_variant(name: &str, span: Span) -> Ident {
    let variant = match name {
        "Self" => Ok(Ident::new("Self_", span)),
        name => syn::parse_str::<Ident>(name),
    };
    let mut variant = variant.unwrap_or_else(|_| Ident::new_raw(name, span));
    variant.set_span(span);
    variant
}

fn audit_attributes(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("audit"))
}

fn key_of(meta: &ParseNestedMeta<'_>) -> String {
    meta.path
        .get_ident()
        .map(Ident::to_string)
        .unwrap_or_default()
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    if !meta.input.peek(Token![=]) {
        let key = key_of(meta);
        return Err(meta.error(format!("`{key}` needs a value: `{key} = \"..\"`")));
    }
    meta.value()?.parse()
}

/// Text that a bounded column holds.
fn short_text(meta: &ParseNestedMeta<'_>, what: &str, limit: usize) -> Result<String> {
    let text = text(meta)?;
    let value = text.value();
    if value.is_empty() || value.chars().count() > limit {
        let message = format!("{what} has 1 to {limit} characters");
        return Err(Error::new(text.span(), message));
    }
    Ok(value)
}

fn flag(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        Ok(true)
    } else {
        Err(meta.error(format!("`{}` takes no value", key_of(meta))))
    }
}

fn list(meta: &ParseNestedMeta<'_>, example: &str) -> Result<Punctuated<Ident, Token![,]>> {
    let message = format!("`{}` needs a list of names: `{example}`", key_of(meta));
    if !meta.input.peek(syn::token::Paren) {
        return Err(meta.error(message));
    }
    let content;
    syn::parenthesized!(content in meta.input);
    // Consumed whole: the tokens that a mistake leaves unread would be a second mistake.
    let tokens: TokenStream = content.parse()?;
    let idents = |input: ParseStream<'_>| input.parse_terminated(Ident::parse_any, Token![,]);
    match idents.parse2(tokens) {
        Ok(list) if list.is_empty() => Err(meta.error(message)),
        Ok(list) => Ok(list),
        Err(error) => Err(Error::new(error.span(), message)),
    }
}

/// Moves on to the next key.
fn skip_value(meta: &ParseNestedMeta<'_>) -> Result<()> {
    while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        meta.input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Visits the keys of `#[sea_orm(..)]`, whose mistakes are SeaORM's to report.
fn visit_sea_orm(attrs: &[Attribute], mut visit: impl FnMut(&ParseNestedMeta<'_>, Option<LitStr>)) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("sea_orm")) {
        let _ = attr.parse_nested_meta(|meta| {
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
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
pub(crate) fn crate_path(attrs: &[Attribute], mistakes: &mut Diagnostics) -> Path {
    let mut path: Path = syn::parse_quote!(::sea_orm_audit);
    for attr in audit_attributes(attrs) {
        // Everything but `crate` is read, and its mistakes reported, later.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate")
                && let Ok(stated) = text(&meta)
            {
                match stated.parse() {
                    Ok(stated) => path = stated,
                    Err(_) => mistakes.add(Error::new(stated.span(), NO_PATH)),
                }
            }
            skip_value(&meta)
        });
    }
    path
}

pub(crate) const NO_PATH: &str = "this is no path, such as `crate::audit`";
