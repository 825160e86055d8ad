//! `#[behavior]`: weaves the capture into a user's `impl ActiveModelBehavior`.
//!
//! The user's hooks move, as they are, into a trait of the expansion's own; hooks that call them and
//! the capture take their place.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser as _;
use syn::{Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Pat, Path, Result, Type};

use crate::expand::private;

const HOOKS: [&str; 4] = ["before_save", "after_save", "before_delete", "after_delete"];

pub(crate) fn weave(args: TokenStream, input: TokenStream) -> TokenStream {
    match try_weave(args, input.clone()) {
        Ok(code) => code,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #input)
        }
    }
}

fn try_weave(args: TokenStream, input: TokenStream) -> Result<TokenStream> {
    let krate = crate_path(args)?;
    let private = private(&krate);
    let mut item: ItemImpl = match syn::parse2(input.clone()) {
        Ok(item) => item,
        Err(_) => return Err(Error::new_spanned(input, WRONG_ITEM)),
    };
    check(&item)?;
    let ty = item.self_ty.clone();
    let mut own = Vec::new();
    let mut kept = Vec::new();
    for part in item.items.drain(..) {
        match part {
            ImplItem::Fn(hook) if HOOKS.iter().any(|name| hook.sig.ident == name) => {
                if hook.sig.asyncness.is_none() {
                    return Err(Error::new_spanned(&hook.sig.ident, WRONG_ORDER));
                }
                own.push(hook);
            }
            other => kept.push(other),
        }
    }
    let written: Vec<String> = own.iter().map(|hook| hook.sig.ident.to_string()).collect();
    let calls = |name: &str| written.iter().any(|hook| hook == name);
    let hooks = hooks(&private, &calls);
    let own = own_trait(&private, &ty, own);

    let (attrs, async_trait): (Vec<_>, Vec<_>) = item
        .attrs
        .into_iter()
        .partition(|attr| !is_async_trait(attr));
    let async_trait = match async_trait.first() {
        Some(attr) => quote!(#attr),
        None => quote!(#[#private::async_trait]),
    };
    let path = item.trait_.map(|(_, path, _)| path);
    Ok(quote! {
        const _: () = {
            #own

            #(#attrs)*
            #async_trait
            impl #path for #ty {
                #(#kept)*
                #hooks
            }

            #[automatically_derived]
            impl #private::Woven for #ty {}
        };
    })
}

const WRONG_ITEM: &str = "`behavior` goes on `impl ActiveModelBehavior for ActiveModel`";
const WRONG_ORDER: &str =
    "this hook is not `async`: put `#[sea_orm_audit::behavior]` above `#[async_trait]`";

fn check(item: &ItemImpl) -> Result<()> {
    match &item.trait_ {
        Some((None, path, _))
            if path
                .segments
                .last()
                .is_some_and(|s| s.ident == "ActiveModelBehavior") => {}
        Some((_, path, _)) => return Err(Error::new_spanned(path, WRONG_ITEM)),
        None => return Err(Error::new_spanned(&item.self_ty, WRONG_ITEM)),
    }
    if item.generics.params.is_empty() {
        Ok(())
    } else {
        Err(Error::new_spanned(
            &item.generics,
            "`behavior` does not work on a generic impl, nor do SeaORM's entities",
        ))
    }
}

fn crate_path(args: TokenStream) -> Result<Path> {
    let mut path: Path = syn::parse_quote!(::sea_orm_audit);
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error("unknown key; the only key is `crate = \"..\"`"));
        }
        path = meta.value()?.parse::<syn::LitStr>()?.parse()?;
        Ok(())
    });
    parser.parse2(args)?;
    Ok(path)
}

fn is_async_trait(attr: &Attribute) -> bool {
    (attr.path().segments.last()).is_some_and(|segment| segment.ident == "async_trait")
}

fn own_name(hook: &str) -> Ident {
    format_ident!("own_{hook}")
}

/// The trait that the user's hooks move into. Its supertrait keeps `Self::Entity` in their
/// signatures meaning what it meant.
fn own_trait(private: &Path, ty: &Type, hooks: Vec<ImplItemFn>) -> TokenStream {
    if hooks.is_empty() {
        return TokenStream::new();
    }
    let mut signatures = Vec::new();
    let mut bodies = Vec::new();
    for mut hook in hooks {
        hook.sig.ident = Ident::new(
            &own_name(&hook.sig.ident.to_string()).to_string(),
            hook.sig.ident.span(),
        );
        let mut signature = hook.sig.clone();
        for input in &mut signature.inputs {
            match input {
                FnArg::Receiver(receiver) => receiver.mutability = None,
                FnArg::Typed(typed) => *typed.pat = Pat::Verbatim(quote!(_)),
            }
        }
        signatures.push(signature);
        bodies.push(hook);
    }
    quote! {
        #[#private::async_trait]
        trait Own: #private::ActiveModelTrait {
            #(#signatures;)*
        }

        #[#private::async_trait]
        impl Own for #ty {
            #(#bodies)*
        }
    }
}

/// The four hooks: the user's, where there is one, and the capture.
fn hooks(private: &Path, has_own: &dyn Fn(&str) -> bool) -> TokenStream {
    let call = |hook: &str, args: TokenStream, otherwise: TokenStream| {
        if has_own(hook) {
            let own = own_name(hook);
            quote!(<Self as Own>::#own(#args).await?)
        } else {
            otherwise
        }
    };
    let before_save = call("before_save", quote!(self, db, insert), quote!(self));
    let after_save = call("after_save", quote!(model, db, insert), quote!(model));
    let before_delete = call("before_delete", quote!(self, db), quote!(self));
    let after_delete = call("after_delete", quote!(self, db), quote!(self));
    let model =
        quote!(<<Self as #private::ActiveModelTrait>::Entity as #private::EntityTrait>::Model);
    quote! {
        async fn before_save<C>(self, db: &C, insert: bool) -> Result<Self, #private::DbErr>
        where
            C: #private::ConnectionTrait,
        {
            let model = #before_save;
            #private::before_save(model, db, insert).await
        }

        async fn after_save<C>(
            model: #model,
            db: &C,
            insert: bool,
        ) -> Result<#model, #private::DbErr>
        where
            C: #private::ConnectionTrait,
        {
            let captured = #private::saved::<Self, C>(&model, db, insert);
            let model = #after_save;
            captured.record(db).await?;
            Ok(model)
        }

        async fn before_delete<C>(self, db: &C) -> Result<Self, #private::DbErr>
        where
            C: #private::ConnectionTrait,
        {
            let model = #before_delete;
            #private::before_delete(model, db).await
        }

        async fn after_delete<C>(self, db: &C) -> Result<Self, #private::DbErr>
        where
            C: #private::ConnectionTrait,
        {
            let captured = #private::deleted(&self, db);
            let model = #after_delete;
            captured.record(db).await?;
            Ok(model)
        }
    }
}
