//! `#[behavior]`: wraps a user's `impl ActiveModelBehavior` with the capture.
//!
//! The user's hooks move unchanged into an impl of `OwnBehavior`; generated hooks that call them and the capture
//! replace them.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{Attribute, Error, ImplItem, ImplItemFn, Item, ItemImpl, LitStr, Path, Result};

use crate::expand::{hooks, private};
use crate::parse::{Diagnostics, NO_PATH};

const HOOKS: [&str; 4] = ["before_save", "after_save", "before_delete", "after_delete"];

const WRONG_ITEM: &str = "`behavior` goes on `impl ActiveModelBehavior for ActiveModel`";

pub(crate) fn weave(args: TokenStream, input: TokenStream) -> TokenStream {
    let (krate, mistake) = crate_path(args);
    let mistake = mistake.map(Error::into_compile_error);
    let item = match impl_of(input.clone()) {
        Ok(item) => item,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#mistake #error #input);
        }
    };
    let code = expand(item, &private(&krate));
    quote!(#mistake #code)
}

/// The impl, or what it is instead.
fn impl_of(input: TokenStream) -> Result<ItemImpl> {
    let item = match syn::parse2(input)? {
        Item::Impl(item) => item,
        other => return Err(Error::new_spanned(other, WRONG_ITEM)),
    };
    match &item.trait_ {
        Some((None, path, _)) if names_behavior(path) => {}
        Some((_, path, _)) => return Err(Error::new_spanned(path, WRONG_ITEM)),
        None => return Err(Error::new_spanned(&item.self_ty, WRONG_ITEM)),
    }
    if item.generics.params.is_empty() {
        Ok(item)
    } else {
        let message = "`behavior` does not work on a generic impl, nor do SeaORM's entities";
        Err(Error::new_spanned(&item.generics, message))
    }
}

fn names_behavior(path: &Path) -> bool {
    (path.segments.last()).is_some_and(|segment| segment.ident == "ActiveModelBehavior")
}

fn expand(mut item: ItemImpl, private: &Path) -> TokenStream {
    let mut mistakes = Diagnostics::default();
    let mut own = Vec::new();
    let mut kept = Vec::new();
    // `#[async_trait]` above this attribute has done its work already.
    let mut is_async = true;
    for part in item.items.drain(..) {
        match part {
            ImplItem::Fn(mut hook) if HOOKS.iter().any(|name| hook.sig.ident == name) => {
                if hook.sig.asyncness.is_none() {
                    is_async = false;
                    if !made_by_async_trait(&hook) {
                        let message = format!("`{}` is not `async`", hook.sig.ident);
                        mistakes.add(Error::new_spanned(hook.sig.fn_token, message));
                        continue;
                    }
                }
                let name = format!("own_{}", hook.sig.ident);
                hook.sig.ident = Ident::new(&name, hook.sig.ident.span());
                own.push(hook);
            }
            other => kept.push(other),
        }
    }
    let (async_trait, attrs): (Vec<_>, Vec<_>) = item.attrs.into_iter().partition(is_async_trait);
    let async_trait = match async_trait.first() {
        Some(attr) => quote!(#attr),
        None if is_async => quote!(#[#private::async_trait]),
        None => TokenStream::new(),
    };
    let path = item.trait_.map(|(_, path, _)| path);
    let ty = item.self_ty;
    let hooks = hooks(&syn::parse_quote!(#private::wrapped), private);
    let mistakes = mistakes.into_error().map(Error::into_compile_error);
    quote! {
        #mistakes

        #(#attrs)*
        const _: () = {
            #async_trait
            impl #private::OwnBehavior for #ty {
                #(#own)*
            }

            impl #path for #ty {
                #(#kept)*
                #hooks
            }
        };
    }
}

/// Whether a hook is what `#[async_trait]` makes of an `async` one.
fn made_by_async_trait(hook: &ImplItemFn) -> bool {
    let mut lifetimes = hook.sig.generics.lifetimes();
    lifetimes.any(|parameter| parameter.lifetime.ident == "async_trait")
}

fn is_async_trait(attr: &Attribute) -> bool {
    (attr.path().segments.last()).is_some_and(|segment| segment.ident == "async_trait")
}

/// The `crate = ".."` of the attribute, and what is wrong with it.
fn crate_path(args: TokenStream) -> (Path, Option<Error>) {
    let mut path: Path = syn::parse_quote!(::sea_orm_audit);
    let mut given = false;
    let read = |meta: ParseNestedMeta<'_>| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error("unknown key; the only key is `crate = \"..\"`"));
        }
        if std::mem::replace(&mut given, true) {
            return Err(meta.error("`crate` is given twice"));
        }
        let stated: LitStr = meta.value()?.parse()?;
        path = (stated.parse()).map_err(|_| Error::new(stated.span(), NO_PATH))?;
        Ok(())
    };
    let result = syn::meta::parser(read).parse2(args);
    (path, result.err())
}
