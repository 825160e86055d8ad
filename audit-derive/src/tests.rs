//! The output of the macros: its size, and that it uses no user-defined name by chance.

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Macro, Path, parse_quote};

/// A typical entity: some attributes, one unusual name.
fn article() -> TokenStream {
    let input = parse_quote! {
        #[sea_orm(table_name = "article")]
        #[audit(display = "{title} (#{id})", module = "blog", tenant = "org_id")]
        #[audit(skip_actions(Delete))]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub org_id: Uuid,
            #[sea_orm(unique)]
            pub slug: String,
            pub title: String,
            #[sea_orm(column_type = "Text")]
            pub body: String,
            pub author_id: i64,
            #[audit(redact)]
            pub note: Option<String>,
            #[audit(plain)]
            pub token_count: i32,
            pub r#type: Kind,
            #[sea_orm(column_name = "publishedOn")]
            pub published_on: Option<Date>,
            pub created_at: DateTimeUtc,
            #[audit(skip)]
            pub updated_at: DateTimeUtc,
        }
    };
    crate::expand::derive(&input)
}

/// The same with every key of the struct.
fn article_with_all_keys() -> TokenStream {
    let input = parse_quote! {
        #[sea_orm(table_name = "article", rename_all = "camelCase")]
        #[audit(name = "a", module = "b", display = "{id}: {title}", tenant = "id")]
        #[audit(only(id, title), redact_by_default, skip_actions(Create, Update, Delete))]
        #[audit(behavior = "own", capture = "hook", crate = "dep::audit")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            #[audit(hash)]
            pub title: String,
        }
    };
    crate::expand::derive(&input)
}

fn wrapped() -> TokenStream {
    let input: TokenStream = parse_quote! {
        impl ActiveModelBehavior for ActiveModel {}
    };
    crate::behavior::weave(parse_quote!(crate = "dep::audit"), input)
}

fn pretty(code: TokenStream) -> Result<String, syn::Error> {
    Ok(prettyplease::unparse(&syn::parse2::<File>(code)?))
}

#[test]
fn the_expansion_of_an_entity_with_twelve_columns_is_short() -> Result<(), syn::Error> {
    let code = pretty(article())?;
    let lines = code.lines().count();
    // `inventory::submit!` becomes another 20 lines; the rest is fully expanded.
    assert!(lines + 20 < 150, "{lines} lines:\n{code}");
    Ok(())
}

/// `UPDATE_EXPANSION=1 cargo test -p sea-orm-audit-derive` rewrites it.
#[test]
fn the_expansion_is_the_one_that_was_reviewed() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/article.expanded.rs");
    let code = pretty(article())?;
    if std::env::var_os("UPDATE_EXPANSION").is_some() {
        std::fs::write(path, &code)?;
    }
    let reviewed = std::fs::read_to_string(path)?;
    assert!(
        code == reviewed,
        "the expansion is not that of src/tests/article.expanded.rs any more:\n{code}"
    );
    Ok(())
}

/// The paths that do not lead into `__private`.
struct Foreign {
    private: Path,
    found: Vec<String>,
}

impl Foreign {
    /// The entity's own names, names that the expansion declares, and primitive types.
    const ALLOWED: [&str; 13] = [
        "Entity",
        "ActiveModel",
        "Column",
        "Self",
        "C",
        "INFO",
        "self",
        "model",
        "db",
        "insert",
        "bool",
        "automatically_derived",
        // As the user's own `impl` spells it.
        "ActiveModelBehavior",
    ];
}

impl<'ast> Visit<'ast> for Foreign {
    fn visit_path(&mut self, path: &'ast Path) {
        let names = |path: &Path| -> Vec<String> {
            (path.segments.iter())
                .map(|segment| segment.ident.to_string())
                .collect()
        };
        let (found, private) = (names(path), names(&self.private));
        let is_private = path.leading_colon.is_some() == self.private.leading_colon.is_some()
            && found.starts_with(&private);
        if !is_private && !Self::ALLOWED.contains(&found[0].as_str()) {
            self.found.push(found.join("::"));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast Macro) {
        match syn::parse2::<syn::Expr>(invoked.tokens.clone()) {
            // The visitor does not outlive the tokens of the file.
            Ok(argument) => {
                let mut inside = Foreign {
                    private: self.private.clone(),
                    found: Vec::new(),
                };
                inside.visit_expr(&argument);
                self.found.extend(inside.found);
            }
            Err(_) => self.found.push(format!("{}!", invoked.tokens)),
        }
        visit::visit_macro(self, invoked);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        visit::visit_path(self, attribute.path());
        self.visit_path(attribute.path());
    }
}

#[test]
fn the_expansion_names_only_private_items_and_the_entity() -> Result<(), syn::Error> {
    for (code, private) in [
        (article(), parse_quote!(::sea_orm_audit::__private)),
        (article_with_all_keys(), parse_quote!(dep::audit::__private)),
        (wrapped(), parse_quote!(dep::audit::__private)),
    ] {
        let file: File = syn::parse2(code)?;
        let mut foreign = Foreign {
            private,
            found: Vec::new(),
        };
        foreign.visit_file(&file);
        assert_eq!(foreign.found, [""; 0], "{}", prettyplease::unparse(&file));
    }
    Ok(())
}

#[test]
fn nothing_is_written_for_the_struct_with_relations() {
    let input = parse_quote! {
        #[audit(nonsense)]
        pub struct ModelEx {
            pub id: i32,
        }
    };
    assert!(crate::expand::derive(&input).is_empty());
}

/// The fields in the expansion: variant, name.
fn stated_fields(input: &syn::DeriveInput) -> Vec<(String, String)> {
    let code = crate::expand::derive(input).to_string();
    let after = |text: &str, mark: &str| text.split_once(mark).map(|(_, rest)| rest.to_owned());
    (code.split("Field { column : Column :: ").skip(1))
        .filter_map(|field| {
            let variant = field.split_once(' ')?.0.to_owned();
            let name = after(field, "name : \"")?.split_once('"')?.0.to_owned();
            Some((variant, name))
        })
        .collect()
}

#[test]
fn fields_are_named_where_their_columns_may_have_other_names() {
    let input = parse_quote! {
        #[sea_orm(table_name = "t")]
        pub struct Model {
            pub id: i32,
            pub plain_name: i32,
            pub r#type: i32,
            pub self_: i32,
            pub _led: i32,
            #[sea_orm(enum_name = "Other")]
            pub variant: i32,
            #[sea_orm(column_name = "c")]
            pub column: i32,
            #[sea_orm(ignore)]
            pub ignored: i32,
        }
    };
    let named = |variant: &str, name: &str| (variant.to_owned(), name.to_owned());
    assert_eq!(
        stated_fields(&input),
        [
            named("Self_", "self_"),
            named("Led", "_led"),
            named("Other", "variant"),
            named("Column", "column"),
        ]
    );
}

#[test]
fn all_fields_are_named_where_the_columns_are_not_to_be_seen() {
    for attribute in [
        parse_quote!(#[sea_orm(table_name = "t", rename_all = "camelCase")]),
        parse_quote!(#[derive()]),
    ] {
        let attribute: Attribute = attribute;
        let input = parse_quote! {
            #attribute
            pub struct Model {
                pub id: i32,
            }
        };
        assert_eq!(
            stated_fields(&input),
            [("Id".to_owned(), "id".to_owned())],
            "{attribute:?}"
        );
    }
}
