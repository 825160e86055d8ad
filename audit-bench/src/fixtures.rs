//! The article: one entity of twelve columns, in five tables that differ only in how they are audited.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveModelBehavior, FromQueryResult, IntoActiveModel, Set};

/// An entity with the article's columns, and the articles to write with it.
pub(crate) trait EntityPair: Send + Sync + 'static {
    type Entity: EntityTrait<Model = Self::Model, ActiveModel = Self::Active>;
    type Model: ModelTrait<Entity = Self::Entity>
        + FromQueryResult
        + IntoActiveModel<Self::Active>
        + Clone
        + Send
        + Sync;
    type Active: ActiveModelTrait<Entity = Self::Entity> + ActiveModelBehavior + Send + Sync;

    /// The key's column.
    const ID: <Self::Entity as EntityTrait>::Column;

    /// A new article.
    fn fresh(number: i32) -> Self::Active;

    /// Two columns out of twelve, as an update sets them.
    fn changes() -> Self::Active;

    /// The article with these two columns changed.
    fn changed(model: Self::Model) -> Self::Active;

    /// The article with the same two columns set to their present values.
    fn same(model: Self::Model) -> Self::Active;

    fn id(model: &Self::Model) -> i32;
}

macro_rules! entity_pair {
    ($module:ident, $name:ident, $(#[$attribute:meta])+) => {
        // SeaORM's derives write `pub`, and an entity must be as visible as they are.
        #[allow(unreachable_pub)]
        pub(crate) mod $module {
            use sea_orm::Set;
            use sea_orm::entity::prelude::*;
            use serde::Serialize;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize)]
            $(#[$attribute])+
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub title: String,
                #[sea_orm(column_type = "Text")]
                pub body: String,
                pub subtitle: Option<String>,
                pub stock: i32,
                pub views: i64,
                pub published: bool,
                pub rating: f64,
                #[sea_orm(column_type = "Decimal(Some((12, 2)))")]
                pub price: Decimal,
                pub released: DateTimeUtc,
                pub reference: Uuid,
                #[sea_orm(column_type = "JsonBinary")]
                pub labels: Json,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl From<super::Article> for ActiveModel {
                fn from(article: super::Article) -> Self {
                    Self {
                        id: sea_orm::NotSet,
                        title: Set(article.title),
                        body: Set(article.body),
                        subtitle: Set(article.subtitle),
                        stock: Set(article.stock),
                        views: Set(article.views),
                        published: Set(article.published),
                        rating: Set(article.rating),
                        price: Set(article.price),
                        released: Set(article.released),
                        reference: Set(article.reference),
                        labels: Set(article.labels),
                    }
                }
            }
        }

        pub(crate) struct $name;

        impl EntityPair for $name {
            type Entity = $module::Entity;
            type Model = $module::Model;
            type Active = $module::ActiveModel;

            const ID: $module::Column = $module::Column::Id;

            fn fresh(number: i32) -> Self::Active {
                Article::new(number).into()
            }

            fn changes() -> Self::Active {
                $module::ActiveModel {
                    title: Set(CHANGED_TITLE.to_owned()),
                    stock: Set(CHANGED_STOCK),
                    ..Default::default()
                }
            }

            fn changed(model: Self::Model) -> Self::Active {
                let mut active = model.into_active_model();
                active.title = Set(CHANGED_TITLE.to_owned());
                active.stock = Set(CHANGED_STOCK);
                active
            }

            fn same(model: Self::Model) -> Self::Active {
                let (title, stock) = (model.title.clone(), model.stock);
                let mut active = model.into_active_model();
                active.title = Set(title);
                active.stock = Set(stock);
                active
            }

            fn id(model: &Self::Model) -> i32 {
                model.id
            }
        }
    };
}

entity_pair!(bare, Bare, #[sea_orm(table_name = "article_bare")]);
// Its hooks are in `manual_hooks.rs`.
entity_pair!(manual, Manual, #[sea_orm(table_name = "article_manual")]);
entity_pair!(
    audited,
    Audited,
    #[derive(sea_orm_audit::Auditable)]
    #[sea_orm(table_name = "article")]
    #[audit(display = "{title} (#{id})")]
);
entity_pair!(
    triggered,
    Triggered,
    #[derive(sea_orm_audit::Auditable)]
    #[sea_orm(table_name = "article_triggered")]
    #[audit(display = "{title} (#{id})", capture = "trigger")]
);
entity_pair!(
    skipped,
    Skipped,
    #[derive(sea_orm_audit::Auditable)]
    #[sea_orm(table_name = "article_skipped")]
    #[audit(skip)]
);

impl ActiveModelBehavior for bare::ActiveModel {}

/// Values that no new article has, so that every update is a change.
const CHANGED_TITLE: &str = "A title that was corrected";
const CHANGED_STOCK: i32 = -1;

/// The values of a new article.
pub(crate) struct Article {
    title: String,
    body: String,
    subtitle: Option<String>,
    stock: i32,
    views: i64,
    published: bool,
    rating: f64,
    price: Decimal,
    released: DateTimeUtc,
    reference: Uuid,
    labels: Json,
}

impl Article {
    fn new(number: i32) -> Self {
        // A whole second: MariaDB's timestamps have no fractions by default.
        let released =
            DateTimeUtc::UNIX_EPOCH + chrono::TimeDelta::hours(i64::from(number) + 400_000);
        Self {
            title: format!("Article number {number}"),
            body: "The quick brown fox jumps over the lazy dog. ".repeat(4),
            subtitle: (number % 2 == 0).then(|| format!("with the subtitle of number {number}")),
            stock: number,
            views: i64::from(number) * 1000,
            published: number % 3 == 0,
            rating: f64::from(number % 20) / 4.0,
            price: Decimal::new(i64::from(number) * 100 + 99, 2),
            released,
            reference: Uuid::from_u128(
                0x0197_0000_0000_7000_8000_0000_0000_0000 + u128::from(number.unsigned_abs()),
            ),
            labels: serde_json::json!({"shelf": number % 50, "tags": ["new", "garden"]}),
        }
    }
}
