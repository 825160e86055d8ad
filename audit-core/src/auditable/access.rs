//! What the statement engine needs of an entity's types, as plain functions.

use std::sync::OnceLock;

use sea_orm::sea_query::{
    Alias, Expr, ForeignKeyAction, MysqlQueryBuilder, PostgresQueryBuilder, Query, SelectStatement,
    SqliteQueryBuilder, TableRef, Value,
};
use sea_orm::{
    ColumnTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable,
    PrimaryKeyTrait, QueryResult, RelationTrait, Schema,
};

use super::values_of;

/// Typed functions of one entity.
#[derive(Debug)]
pub(crate) struct Access {
    /// The list of columns for a SELECT or RETURNING: the columns as SeaORM reads them, qualified by this table name,
    /// each under its own name.
    pub(crate) list: fn(DbBackend, qualifier: Option<&str>) -> String,
    /// How a column is read: its name, or a cast of it.
    pub(crate) expression: fn(DbBackend, column: usize) -> String,
    /// The same of a table's row that has this name, which needs no quotes.
    pub(crate) qualified: fn(DbBackend, column: usize, qualifier: &str) -> String,
    /// Reads the values of a row, whose columns have their own names.
    pub(crate) read: fn(&QueryResult) -> Result<Vec<Value>, DbErr>,
    /// The SQL before and after a value that is compared with a column.
    pub(crate) cast: fn(DbBackend, column: usize) -> (String, String),
    /// Computes `followed()`, which reads the relations of other entities.
    followed: fn() -> Vec<CascadingKey>,
    found: OnceLock<Vec<CascadingKey>>,
    /// The foreign keys of the entity.
    pub(crate) references: fn() -> Vec<ForeignKey>,
    /// The columns that the entity declares unique, by themselves or with others.
    pub(crate) unique: Vec<String>,
    /// Whether the database generates the key.
    pub(crate) numbered: bool,
    /// Whether rows refer to others of the entity.
    pub(crate) refers_to_itself: bool,
}

/// A foreign key that an entity declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// The table that is referred to.
    pub(crate) table: String,
    pub(crate) schema: Option<String>,
    /// The columns of the entity, and those of that table.
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
}

/// A foreign key with an action of the database.
#[derive(Debug, Clone)]
pub(crate) struct CascadingKey {
    /// The table that is referred to.
    pub(crate) table: String,
    pub(crate) schema: Option<String>,
    /// The columns of the entity, and those of that table.
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
    /// Whether the row is deleted; else its columns are set.
    pub(crate) deletes: bool,
}

impl Access {
    pub(super) fn of<E: EntityTrait>() -> Self {
        Self {
            list: list::<E>,
            expression: expression::<E>,
            qualified: qualified::<E>,
            read: read::<E>,
            cast: cast::<E>,
            followed: followed::<E>,
            found: OnceLock::new(),
            references: references::<E>,
            unique: unique::<E>(),
            numbered: E::PrimaryKey::auto_increment(),
            refers_to_itself: E::Relation::iter().any(|relation| {
                let def = relation.def();
                def.from_tbl == def.to_tbl
            }),
        }
    }
}

impl Access {
    /// The foreign keys by which rows of the entity are deleted, or change, along with others.
    pub(crate) fn followed(&self) -> &[CascadingKey] {
        self.found.get_or_init(self.followed)
    }
}

fn render(backend: DbBackend, select: &SelectStatement) -> String {
    let text = match backend {
        DbBackend::Postgres => select.to_string(PostgresQueryBuilder),
        DbBackend::Sqlite => select.to_string(SqliteQueryBuilder),
        _ => select.to_string(MysqlQueryBuilder),
    };
    text.strip_prefix("SELECT ").unwrap_or(&text).to_owned()
}

/// A placeholder for the qualifier, which may be an expression.
const QUALIFIER: &str = "sea_orm_audit_qualifier";

fn list<E: EntityTrait>(backend: DbBackend, qualifier: Option<&str>) -> String {
    let mut select = Query::select();
    for column in E::Column::iter() {
        let plain = match qualifier {
            Some(_) => Expr::col((Alias::new(QUALIFIER), column)),
            None => Expr::col(column),
        };
        select.expr_as(column.select_as(plain), Alias::new(column.as_str()));
    }
    let text = render(backend, &select);
    match (qualifier, backend) {
        (None, _) => text,
        (Some(name), DbBackend::MySql) => text.replace(&format!("`{QUALIFIER}`"), name),
        (Some(name), _) => text.replace(&format!("\"{QUALIFIER}\""), name),
    }
}

fn expression<E: EntityTrait>(backend: DbBackend, at: usize) -> String {
    let Some(column) = E::Column::iter().nth(at) else {
        return String::new();
    };
    let mut select = Query::select();
    select.expr(column.select_as(Expr::col(column)));
    render(backend, &select)
}

fn qualified<E: EntityTrait>(backend: DbBackend, at: usize, qualifier: &str) -> String {
    let Some(column) = E::Column::iter().nth(at) else {
        return String::new();
    };
    let mut select = Query::select();
    select.expr(column.select_as(Expr::col((Alias::new(qualifier), column))));
    render(backend, &select)
}

fn read<E: EntityTrait>(row: &QueryResult) -> Result<Vec<Value>, DbErr> {
    Ok(values_of(&E::Model::from_query_result(row, "")?))
}

fn cast<E: EntityTrait>(backend: DbBackend, at: usize) -> (String, String) {
    const PLACE: &str = "sea_orm_audit_place";
    let Some(column) = E::Column::iter().nth(at) else {
        return Default::default();
    };
    let mut select = Query::select();
    select.expr(column.save_as(Expr::cust(PLACE)));
    let text = render(backend, &select);
    let (before, after) = text.split_once(PLACE).unwrap_or_default();
    (before.to_owned(), after.to_owned())
}

fn unique<E: EntityTrait>() -> Vec<String> {
    // Which columns these are is the same on every database.
    let schema = Schema::new(DbBackend::Sqlite);
    let alone = E::Column::iter().filter(|column| {
        let definition = schema.get_column_def::<E>(*column);
        definition.get_column_spec().unique
    });
    let mut names: Vec<String> = alone.map(|column| column.as_str().to_owned()).collect();
    for index in schema.create_index_from_entity(E::default()) {
        if index.is_unique_key() {
            names.extend(index.get_index_spec().get_column_names());
        }
    }
    names
}

fn followed<E: EntityTrait>() -> Vec<CascadingKey> {
    let keys = foreign_keys::<E>().filter_map(|(key, action)| {
        let deletes = match action {
            Some(ForeignKeyAction::Cascade) => true,
            Some(ForeignKeyAction::SetNull | ForeignKeyAction::SetDefault) => false,
            _ => return None,
        };
        Some(CascadingKey {
            table: key.table,
            schema: key.schema,
            from: key.from,
            to: key.to,
            deletes,
        })
    });
    keys.collect()
}

fn references<E: EntityTrait>() -> Vec<ForeignKey> {
    foreign_keys::<E>().map(|(key, _)| key).collect()
}

/// The foreign keys of an entity, each with its action of ON DELETE.
fn foreign_keys<E: EntityTrait>() -> impl Iterator<Item = (ForeignKey, Option<ForeignKeyAction>)> {
    E::Relation::iter().filter_map(|relation| {
        let def = relation.def();
        // The other side of a relation states nothing that the database does.
        if def.is_owner || def.skip_fk {
            return None;
        }
        let TableRef::Table(name, _) = &def.to_tbl else {
            return None;
        };
        let key = ForeignKey {
            table: name.1.to_string(),
            schema: name.0.as_ref().map(|schema| schema.1.to_string()),
            from: def.from_col.iter().map(ToString::to_string).collect(),
            to: def.to_col.iter().map(ToString::to_string).collect(),
        };
        Some((key, def.on_delete))
    })
}
