//! What the derive declares for an entity: [`Auditable`], [`EntityInfo`] and the registry of all.

#[cfg(feature = "statements")]
mod access;
#[cfg(feature = "statements")]
mod by_table;
mod registry;

use std::any::TypeId;

use sea_orm::sea_query::Value;
use sea_orm::{EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn};

#[cfg(feature = "statements")]
pub(crate) use access::{Access, CascadingKey, ForeignKey};
#[cfg(feature = "statements")]
pub(crate) use by_table::{find, known, register};
pub use registry::{Registration, audited_entities};

use crate::action::ChangeActions;
use crate::redact::can_be_secret;
#[cfg(feature = "statements")]
use crate::sql::TableName;
use crate::value::ColumnKind;

/// An entity whose changes are recorded. Implemented by `#[derive(Auditable)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an audited entity",
    note = "add `#[derive(Auditable)]` to its `Model`"
)]
pub trait Auditable: EntityTrait {
    /// What the derive declares for the entity.
    fn info() -> &'static EntityInfo;
}

/// The metadata of an audited entity.
#[derive(Debug)]
pub struct EntityInfo {
    model: String,
    table: &'static str,
    schema: Option<String>,
    module: Option<&'static str>,
    pub(crate) type_id: TypeId,
    #[cfg(feature = "statements")]
    pub(crate) type_name: &'static str,
    pub(crate) columns: Vec<ColumnInfo>,
    pub(crate) key: Vec<usize>,
    pub(crate) display: Vec<Part>,
    pub(crate) skip: bool,
    pub(crate) skip_actions: ChangeActions,
    pub(crate) tenant: Option<usize>,
    /// The column that says that a row is deleted.
    pub(crate) soft_delete: Option<usize>,
    /// The database's own triggers record the changes.
    pub(crate) by_trigger: bool,
    #[cfg(feature = "statements")]
    pub(crate) access: Access,
}

#[derive(Debug)]
pub(crate) struct ColumnInfo {
    /// The name in the database, which is the name in `changes`.
    pub(crate) name: &'static str,
    /// The name of the Rust field where it is another one.
    pub(crate) field: Option<&'static str>,
    /// The name in older records.
    pub(crate) was: Option<&'static str>,
    pub(crate) policy: FieldPolicy,
    pub(crate) can_be_secret: bool,
    /// What kind of value it holds.
    pub(crate) shape: ColumnKind,
}

/// A segment of a `display` template; a column by its position.
#[derive(Debug)]
pub(crate) enum Part {
    Text(&'static str),
    Column(usize),
}

/// What an attribute declares for a field.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldPolicy {
    /// Nothing: recorded, unless its name is a secret's.
    Detect,
    /// Never read.
    Skip,
    /// Not among those that `only` lists.
    LeftOut,
    /// Records that it changed, without its values.
    Redact,
    /// A keyed hash of the value.
    Hash,
    /// Recorded, whatever its name.
    Plain,
}

/// The attributes of a derive, columns by their enum.
#[doc(hidden)]
#[derive(Debug)]
pub struct Options<C: 'static> {
    pub name: Option<&'static str>,
    pub module: Option<&'static str>,
    pub display: &'static [Segment<C>],
    pub skip: bool,
    pub skip_actions: ChangeActions,
    pub only: &'static [C],
    pub redact_by_default: bool,
    pub tenant: Option<C>,
    pub soft_delete: Option<C>,
    pub by_trigger: bool,
    pub fields: &'static [Field<C>],
}

/// A segment of a `display` template.
#[doc(hidden)]
#[derive(Debug)]
pub enum Segment<C> {
    Text(&'static str),
    Column(C),
}

/// A field that has an attribute, or another name than its column.
#[doc(hidden)]
#[derive(Debug)]
pub struct Field<C> {
    pub column: C,
    pub name: &'static str,
    pub policy: FieldPolicy,
    /// The column's name in older records.
    pub was: Option<&'static str>,
}

impl<C> Options<C> {
    /// No attribute at all.
    pub const NONE: Self = Self {
        name: None,
        module: None,
        display: &[],
        skip: false,
        skip_actions: ChangeActions {
            create: false,
            update: false,
            delete: false,
        },
        only: &[],
        redact_by_default: false,
        tenant: None,
        soft_delete: None,
        by_trigger: false,
        fields: &[],
    };
}

impl EntityInfo {
    /// Combines SeaORM's metadata of an entity with the attributes.
    #[doc(hidden)]
    #[must_use]
    pub fn of<E: EntityTrait>(options: &Options<E::Column>) -> Self {
        let entity = E::default();
        let all: Vec<E::Column> = E::Column::iter().collect();
        let position = |column: &E::Column| all.iter().position(|c| c.as_str() == column.as_str());
        let key: Vec<usize> = E::PrimaryKey::iter()
            .filter_map(|key| position(&key.into_column()))
            .collect();
        let columns = all
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let field = options
                    .fields
                    .iter()
                    .find(|field| field.column.as_str() == column.as_str());
                let stated = field.map_or(FieldPolicy::Detect, |field| field.policy);
                let left_out = !options.only.is_empty()
                    && !options.only.iter().any(|c| c.as_str() == column.as_str());
                let policy = match stated {
                    FieldPolicy::Detect if left_out => FieldPolicy::LeftOut,
                    FieldPolicy::Detect if options.redact_by_default && !key.contains(&at) => {
                        FieldPolicy::Redact
                    }
                    stated => stated,
                };
                let shape = ColumnKind::of_column::<E>(*column);
                let can_be_secret = match &shape {
                    ColumnKind::One(kind) | ColumnKind::Many(kind) => can_be_secret(kind),
                    ColumnKind::Vector => true,
                };
                ColumnInfo {
                    name: column.as_str(),
                    field: field.map(|field| field.name),
                    was: field.and_then(|field| field.was),
                    policy,
                    can_be_secret,
                    shape,
                }
            })
            .collect();
        let display = options
            .display
            .iter()
            .filter_map(|segment| match segment {
                Segment::Text(text) => Some(Part::Text(text)),
                Segment::Column(column) => position(column).map(Part::Column),
            })
            .collect();
        let schema = entity.schema_name().map(str::to_owned);
        let table = entity.table_name();
        let model = match (options.name, &schema) {
            (Some(name), _) => name.to_owned(),
            (None, Some(schema)) => format!("{schema}.{table}"),
            (None, None) => table.to_owned(),
        };
        Self {
            model,
            table,
            schema,
            module: options.module,
            type_id: TypeId::of::<E>(),
            #[cfg(feature = "statements")]
            type_name: std::any::type_name::<E>(),
            columns,
            key,
            display,
            skip: options.skip,
            skip_actions: options.skip_actions,
            tenant: options.tenant.as_ref().and_then(position),
            soft_delete: options.soft_delete.as_ref().and_then(position),
            by_trigger: options.by_trigger,
            #[cfg(feature = "statements")]
            access: Access::of::<E>(),
        }
    }

    /// The model's name in the log: the derive's `name`, by default the table name, schema-qualified when the entity
    /// declares a schema.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The table's name in the database.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The table's schema, where the entity names one.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The `module` of the derive.
    #[must_use]
    pub const fn module(&self) -> Option<&'static str> {
        self.module
    }

    /// The table name that the entity's own statements use.
    #[cfg(feature = "statements")]
    pub(crate) fn table_name(&self) -> TableName {
        TableName {
            schema: self.schema().map(str::to_owned),
            table: self.table().to_owned(),
        }
    }

    /// The primary key of a row.
    pub(crate) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        (self.key.iter())
            .filter_map(|at| row.get(*at).cloned())
            .collect()
    }

    /// The column that a record means by this name, which may be an older one.
    pub(crate) fn column_in_log(&self, name: &str) -> Option<usize> {
        let find = |is_meant: &dyn Fn(&ColumnInfo) -> bool| self.columns.iter().position(is_meant);
        find(&|column| column.name == name).or_else(|| find(&|column| column.was == Some(name)))
    }

    /// The names of the columns, in the entity's order.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.columns.iter().map(|column| column.name)
    }
}

/// All values of a model, in the order of the entity's columns.
pub(crate) fn values_of<M: ModelTrait>(model: &M) -> Vec<Value> {
    <M::Entity as EntityTrait>::Column::iter()
        .map(|column| model.get(column))
        .collect()
}
