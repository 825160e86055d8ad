//! Calls of SeaORM's builders and models, which run on any connection.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend,
    DbErr, EntityTrait, IdenStatic, IntoActiveModel, Iterable, ModelTrait, QueryFilter, QueryOrder,
    Value,
};

use crate::call::Call;
use crate::choice::Choices;
use crate::tables::{Column, Kind, TABLES, Table};

pub(crate) type Row = Vec<(&'static str, Value)>;

/// How many calls are recorded on plain connections, by hooks or bulk builders. They come first.
const HOOKED: usize = 10;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelOp {
    pub(crate) call: Call,
    pub(crate) entity: &'static str,
    pub(crate) rows: Vec<Row>,
    /// The key; for many rows the column and the value that it is compared with.
    pub(crate) filter: Row,
}

impl ModelOp {
    /// A call. With `hooked` it runs hooks and deletes no referenced rows, since the cascades of plain connections are
    /// not recorded.
    pub(crate) fn of(choices: &mut Choices, backend: DbBackend, hooked: bool) -> Self {
        use Call as C;
        let calls = [
            C::ModelInsert,
            C::ModelUpdate,
            C::ModelSave,
            C::ModelDelete,
            C::UpdateFound,
            C::DeleteFound,
            C::BulkInsertMany,
            C::BulkUpsert,
            C::BulkUpdateMany,
            C::BulkDeleteMany,
            C::Insert,
            C::InsertReturning,
            C::InsertWithoutReturning,
            C::InsertMany,
            C::InsertManyReturning,
            C::InsertManyWithoutReturning,
            C::Upsert,
            C::UpsertReturning,
            C::UpsertWithoutReturning,
            C::TryInsert,
            C::UpdateOne,
            C::UpdateMany,
            C::UpdateManyReturning,
            C::DeleteMany,
            C::DeleteManyReturning,
        ];
        let table = choices.of(TABLES);
        let calls = if hooked { &calls[..HOOKED] } else { &calls[..] };
        let mut call = *choices.of(calls);
        if hooked && matches!(table.entity, "parent" | "tree") {
            call = match call {
                C::ModelDelete => C::ModelUpdate,
                C::DeleteFound => C::UpdateFound,
                C::BulkDeleteMany => C::BulkUpdateMany,
                call => call,
            };
        }
        let number = match call {
            C::InsertMany
            | C::InsertManyReturning
            | C::InsertManyWithoutReturning
            | C::BulkInsertMany => choices.pick(4),
            C::Upsert
            | C::UpsertReturning
            | C::UpsertWithoutReturning
            | C::TryInsert
            | C::BulkUpsert => 1 + choices.pick(3),
            _ => 1,
        };
        let inserts = !matches!(
            call,
            C::ModelUpdate
                | C::UpdateFound
                | C::UpdateMany
                | C::UpdateManyReturning
                | C::UpdateOne
                | C::BulkUpdateMany
        );
        let columns = columns(choices, table, inserts);
        let rows = (0..number)
            .map(|at| row(choices, backend, table, &columns, at, inserts))
            .collect();
        let filter = match call {
            C::UpdateMany
            | C::UpdateManyReturning
            | C::DeleteMany
            | C::DeleteManyReturning
            | C::BulkUpdateMany
            | C::BulkDeleteMany => {
                let column = *choices.of(table.columns);
                vec![(column.name, value(choices, backend, column))]
            }
            _ => (table.key.iter())
                .map(|key| {
                    let column = Column {
                        null: false,
                        ..table.column(key)
                    };
                    (column.name, value(choices, backend, column))
                })
                .collect(),
        };
        Self {
            call,
            entity: table.entity,
            rows,
            filter,
        }
    }
}

fn columns(choices: &mut Choices, table: &Table, inserts: bool) -> Vec<Column> {
    let mut columns = if inserts {
        table.writable()
    } else {
        table.values()
    };
    if inserts && table.numbered && !choices.one_in(3) {
        columns.retain(|column| !table.key.contains(&column.name));
    }
    if !inserts {
        columns.retain(|_| choices.pick(2) == 1);
    } else if choices.one_in(4) {
        let without = choices.pick(columns.len());
        if columns.len() > 1 {
            columns.remove(without);
        }
    }
    columns
}

fn row(
    choices: &mut Choices,
    backend: DbBackend,
    table: &Table,
    columns: &[Column],
    at: usize,
    inserts: bool,
) -> Row {
    let mut row = Row::new();
    for column in columns {
        let unique = table.key.contains(&column.name)
            || table
                .unique
                .iter()
                .any(|index| index.contains(&column.name));
        let value = if inserts && unique && !choices.one_in(3) {
            let new = i32::try_from(20 + at + choices.pick(3)).unwrap();
            match column.kind {
                Kind::Text => new.to_string().into(),
                Kind::Big => i64::from(new).into(),
                _ => new.into(),
            }
        } else {
            value(choices, backend, *column)
        };
        row.push((column.name, value));
    }
    row
}

/// A value of the column's type.
fn value(choices: &mut Choices, backend: DbBackend, column: Column) -> Value {
    let null = column.null && choices.one_in(5);
    macro_rules! one_of {
        ($($value:expr),*) => {{
            let values = [$($value),*];
            let value = values[choices.pick(values.len())].clone();
            Value::from((!null).then_some(value))
        }};
    }
    match column.kind {
        Kind::Int => one_of!(1_i32, 2, 3, 4, 5, 7, 11, -1, 0, 666, 667),
        Kind::Small => one_of!(1_i16, 0, -1, i16::MAX),
        Kind::Big => one_of!(1_i64, 0, i64::MAX, 1 << 53),
        Kind::Single => one_of!(1.5_f32, 0.0, 0.1),
        Kind::Double => one_of!(1.5_f64, 0.0, 0.1, 1e15),
        Kind::Exact => {
            let parse = |text: &str| text.parse::<sea_orm::prelude::Decimal>().unwrap();
            one_of!(parse("1.5"), parse("0.00"), parse("12.3456"))
        }
        Kind::Text => {
            let texts = ["a", "b", "z", "", "it's", "A", "1"].map(str::to_owned);
            let text = texts[choices.pick(texts.len())].clone();
            Value::from((!null).then_some(text))
        }
        Kind::Flag => one_of!(true, false),
        Kind::Bytes => one_of!(vec![0_u8, 0x41], vec![]),
        Kind::Day => {
            let day = |text: &str| text.parse::<sea_orm::prelude::Date>().unwrap();
            one_of!(day("2026-01-02"), day("1970-01-01"))
        }
        Kind::At => {
            let at = |text: &str| text.parse::<sea_orm::prelude::DateTime>().unwrap();
            one_of!(at("2026-01-02T03:04:05"), at("2026-01-02T03:04:05.123456"))
        }
        Kind::Zoned => {
            let at = |text: &str| text.parse::<sea_orm::prelude::DateTimeUtc>().unwrap();
            one_of!(at("2026-01-02T03:04:05Z"), at("2026-01-02T03:04:05.5Z"))
        }
        Kind::Json => {
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            one_of!(json(r#"{"a": 1}"#), json(r#"[1, "x"]"#))
        }
        Kind::Uuid => {
            let _ = backend;
            one_of!(
                sea_orm::prelude::Uuid::from_u128(1),
                sea_orm::prelude::Uuid::from_u128(7)
            )
        }
    }
}

pub(crate) fn column<E: EntityTrait>(name: &str) -> E::Column {
    E::Column::iter()
        .find(|column| column.as_str() == name)
        .unwrap_or_else(|| panic!("no column {name}"))
}

pub(crate) fn model<E: EntityTrait>(row: &Row) -> E::ActiveModel {
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (name, value) in row {
        model.set(column::<E>(name), value.clone());
    }
    model
}

fn filter<E: EntityTrait>(filter: &Row) -> Condition {
    (filter.iter()).fold(Condition::all(), |all, (name, value)| {
        all.add(column::<E>(name).eq(value.clone()))
    })
}

/// The action of an upsert on existing rows.
pub(crate) fn conflict<E: EntityTrait>(op: &ModelOp, key: &[&str]) -> OnConflict {
    let mut conflict = OnConflict::columns(key.iter().map(|key| column::<E>(key)));
    let columns = op.rows[0].iter().map(|(name, _)| column::<E>(name));
    conflict.update_columns(columns.filter(|column| !key.contains(&column.as_str())));
    conflict
}

/// Calls it and returns its answer.
pub(crate) async fn run<E, C>(db: &C, op: &ModelOp, key: &[&str]) -> Result<String, DbErr>
where
    E: EntityTrait<ActiveModel: ActiveModelBehavior + Send, Model: IntoActiveModel<E::ActiveModel>>,
    C: ConnectionTrait,
{
    use Call as C_;
    let models = || op.rows.iter().map(model::<E>);
    let one = || model::<E>(op.rows.first().unwrap_or(&Vec::new()));
    let keyed = || {
        let mut model = one();
        for (name, value) in &op.filter {
            model.set(column::<E>(name), value.clone());
        }
        model
    };
    let found = async || {
        let mut select = E::find().filter(filter::<E>(&op.filter));
        for key in key {
            select = select.order_by_asc(column::<E>(key));
        }
        select.one(db).await
    };
    let conflict = || conflict::<E>(op, key);
    let update = || {
        let mut update = E::update_many();
        for (name, value) in &op.rows[0] {
            update = update.col_expr(column::<E>(name), Expr::val(value.clone()));
        }
        if let Some((name, value)) = op.filter.first() {
            update = update.filter(column::<E>(name).into_expr().gte(value.clone()));
        }
        update
    };
    let delete = || {
        let (name, value) = &op.filter[0];
        E::delete_many().filter(column::<E>(name).into_expr().gte(value.clone()))
    };
    // Rows come in any order.
    let sorted = |rows: Vec<E::Model>| {
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        format!("{rows:?}")
    };
    Ok(match op.call {
        C_::ModelInsert => format!("{:?}", one().insert(db).await?),
        C_::ModelUpdate => format!("{:?}", keyed().update(db).await?),
        C_::ModelSave => format!("{:?}", one().save(db).await?),
        C_::ModelDelete => format!("{:?}", keyed().delete(db).await?),
        C_::UpdateFound => match found().await? {
            None => "none".to_owned(),
            Some(model) => {
                let mut model = model.into_active_model();
                for (name, value) in &op.rows[0] {
                    model.set(column::<E>(name), value.clone());
                }
                format!("{:?}", model.update(db).await?)
            }
        },
        C_::DeleteFound => match found().await? {
            None => "none".to_owned(),
            Some(model) => format!("{:?}", model.delete(db).await?),
        },
        C_::Insert => format!("{:?}", E::insert(one()).exec(db).await?.last_insert_id),
        C_::InsertReturning => format!("{:?}", E::insert(one()).exec_with_returning(db).await?),
        C_::InsertWithoutReturning => {
            format!("{:?}", E::insert(one()).exec_without_returning(db).await?)
        }
        C_::InsertMany | C_::BulkInsertMany => format!(
            "{:?}",
            E::insert_many(models()).exec(db).await?.last_insert_id
        ),
        C_::InsertManyReturning => sorted(E::insert_many(models()).exec_with_returning(db).await?),
        C_::InsertManyWithoutReturning => {
            format!(
                "{:?}",
                E::insert_many(models()).exec_without_returning(db).await?
            )
        }
        C_::Upsert => {
            let insert = E::insert_many(models()).on_conflict(conflict());
            format!("{:?}", insert.exec(db).await?.last_insert_id)
        }
        C_::UpsertReturning => {
            let insert = E::insert_many(models()).on_conflict(conflict());
            sorted(insert.exec_with_returning(db).await?)
        }
        C_::UpsertWithoutReturning | C_::BulkUpsert => {
            let insert = E::insert_many(models()).on_conflict(conflict());
            format!("{:?}", insert.exec_without_returning(db).await?)
        }
        C_::TryInsert => {
            let mut conflict = OnConflict::new();
            conflict.do_nothing_on(key.iter().map(|key| column::<E>(key)));
            let insert = E::insert_many(models()).on_conflict(conflict);
            format!("{:?}", insert.exec_without_returning(db).await?)
        }
        C_::UpdateOne => format!("{:?}", E::update(keyed()).exec(db).await?),
        C_::UpdateMany | C_::BulkUpdateMany => {
            format!("{:?}", update().exec(db).await?.rows_affected)
        }
        C_::UpdateManyReturning => sorted(update().exec_with_returning(db).await?),
        C_::DeleteMany | C_::BulkDeleteMany => {
            format!("{:?}", delete().exec(db).await?.rows_affected)
        }
        C_::DeleteManyReturning => sorted(delete().exec_with_returning(db).await?),
    })
}
