//! [`Model`] → code.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Error, Path};

use crate::model::{Behavior, ChangeAction, Field, Model, Policy, Segment};
use crate::parse::{self, Diagnostics};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    // `#[sea_orm::model]` copies the derive to the struct with relations, which is no table.
    if input.ident == "ModelEx" {
        return TokenStream::new();
    }
    let fields = match parse::fields_of(input) {
        Ok(fields) => fields,
        Err(error) => return error.into_compile_error(),
    };
    let mut mistakes = Diagnostics::default();
    let krate = parse::crate_path(&input.attrs, &mut mistakes);
    let model = parse::model(input, fields, krate, &mut mistakes);
    // Also after a mistake, so that the entity does not fail a second time for lack of it.
    let code = expand(&model);
    let errors = mistakes.into_error().map(Error::into_compile_error);
    quote!(#errors #code)
}

fn expand(model: &Model) -> TokenStream {
    let private = private(&model.krate);
    let options = options(model, &private);
    let behavior = match model.behavior {
        Behavior::Derived => {
            let hooks = hooks(&syn::parse_quote!(#private::derived), &private);
            quote! {
                #[automatically_derived]
                impl #private::ActiveModelBehavior for ActiveModel {
                    #hooks
                }
            }
        }
        Behavior::Own(span) => quote_spanned! {span=>
            const _: () = #private::assert_wrapped::<ActiveModel>();
        },
        Behavior::Mistaken => TokenStream::new(),
    };
    quote! {
        #[automatically_derived]
        impl #private::Auditable for Entity {
            fn info() -> &'static #private::EntityInfo {
                static INFO: #private::OnceLock<#private::EntityInfo> = #private::OnceLock::new();
                INFO.get_or_init(|| #private::EntityInfo::of::<Entity>(&#options))
            }
        }

        #private::inventory::submit! {
            #private::Registration(<Entity as #private::Auditable>::info)
        }

        #behavior
    }
}

pub(crate) fn private(krate: &Path) -> Path {
    syn::parse_quote!(#krate::__private)
}

/// The four hooks, which call the functions of their names in a module.
///
/// They have the form that `async_trait` generates, but not from it: it resolves `Box` in the user's scope, and
/// generates three times as much code.
pub(crate) fn hooks(module: &Path, private: &Path) -> TokenStream {
    let bounds = quote! {
        'life0: 'async_trait,
        C: #private::ConnectionTrait + 'async_trait,
        Self: 'async_trait,
    };
    quote! {
        fn before_save<'life0, 'async_trait, C>(
            self,
            db: &'life0 C,
            insert: bool,
        ) -> #private::Hook<'async_trait, Self>
        where
            #bounds
        {
            #module::before_save(self, db, insert)
        }

        fn after_save<'life0, 'async_trait, C>(
            model: #private::ModelOf<Self>,
            db: &'life0 C,
            insert: bool,
        ) -> #private::Hook<'async_trait, #private::ModelOf<Self>>
        where
            #bounds
        {
            #module::after_save::<Self, C>(model, db, insert)
        }

        fn before_delete<'life0, 'async_trait, C>(
            self,
            db: &'life0 C,
        ) -> #private::Hook<'async_trait, Self>
        where
            #bounds
        {
            #module::before_delete(self, db)
        }

        fn after_delete<'life0, 'async_trait, C>(
            self,
            db: &'life0 C,
        ) -> #private::Hook<'async_trait, Self>
        where
            #bounds
        {
            #module::after_delete(self, db)
        }
    }
}

/// The options that are set.
fn options(model: &Model, private: &Path) -> TokenStream {
    let mut set = Vec::new();
    if let Some(name) = &model.name {
        set.push(quote!(name: #private::Some(#name)));
    }
    if let Some(module) = &model.module {
        set.push(quote!(module: #private::Some(#module)));
    }
    if !model.display.is_empty() {
        let segments = model.display.iter().map(|segment| match segment {
            Segment::Text(text) => quote!(#private::Segment::Text(#text)),
            Segment::Column(column) => quote!(#private::Segment::Column(Column::#column)),
        });
        set.push(quote!(display: &[#(#segments),*]));
    }
    if let Some(tenant) = &model.tenant {
        set.push(quote!(tenant: #private::Some(Column::#tenant)));
    }
    if let Some(column) = &model.soft_delete {
        set.push(quote!(soft_delete: #private::Some(Column::#column)));
    }
    if !model.only.is_empty() {
        let only = (model.fields.iter())
            .filter(|field| model.only.contains(&field.name))
            .map(|field| &field.column);
        set.push(quote!(only: &[#(Column::#only),*]));
    }
    if model.redact_by_default {
        set.push(quote!(redact_by_default: true));
    }
    if model.skip {
        set.push(quote!(skip: true));
    }
    if model.by_trigger {
        set.push(quote!(by_trigger: true));
    }
    if !model.skip_actions.is_empty() {
        let [create, update, delete] = [
            ChangeAction::Create,
            ChangeAction::Update,
            ChangeAction::Delete,
        ]
        .map(|action| model.skip_actions.contains(&action));
        set.push(quote!(skip_actions: #private::ChangeActions {
            create: #create,
            update: #update,
            delete: #delete,
        }));
    }
    let fields: Vec<_> = (model.fields.iter())
        .filter_map(|field| stated(field, private))
        .collect();
    if !fields.is_empty() {
        set.push(quote!(fields: &[#(#fields),*]));
    }
    quote!(#private::Options { #(#set,)* ..#private::Options::NONE })
}

/// A field that has an attribute, or another name than its column.
fn stated(field: &Field, private: &Path) -> Option<TokenStream> {
    if field.policy.is_none() && !field.renamed && field.was.is_none() {
        return None;
    }
    let (name, column) = (&field.name, &field.column);
    let was = match &field.was {
        None => quote!(#private::None),
        Some(was) => quote!(#private::Some(#was)),
    };
    let policy = match field.policy {
        None => quote!(Detect),
        Some(Policy::Skip) => quote!(Skip),
        Some(Policy::Redact) => quote!(Redact),
        Some(Policy::Hash) => quote!(Hash),
        Some(Policy::Plain) => quote!(Plain),
    };
    Some(quote!(#private::Field {
        column: Column::#column,
        name: #name,
        policy: #private::FieldPolicy::#policy,
        was: #was,
    }))
}
