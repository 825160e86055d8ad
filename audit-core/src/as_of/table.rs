//! One table as it was: what a query reads in place of it.
//!
//! Rows that have not changed since the moment are read from the table itself. The others are put together from the
//! records after the moment, and written into a temporary table. So the cost grows with what changed since, and a few
//! thousand objects are in memory at once.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter};

use super::events::{self, CHUNK};
use super::objects::Objects;
use super::open::UnknownValues;
use super::past::{Past, PastRow, PastValue, Replay};
use super::temporary::Temporary;
use crate::action::{Action, Source};
use crate::auditable::EntityInfo;
use crate::entity::audit_log::Column as C;
use crate::query::{AuditQuery, UnknownReason, newest_before, recorded};
use crate::sql::quoted;
use crate::value::decode;

/// How many records are combined at once.
const RECORDS: usize = 2_000;

/// A table as it was at the moment.
#[derive(Debug)]
pub(super) struct PastTable {
    pub(super) info: &'static EntityInfo,
    /// The columns with values that are not known: why, and an object of which it is not known.
    pub(super) unknown: BTreeMap<&'static str, (UnknownReason, Option<String>)>,
    /// What stands for the table in a query.
    pub(super) select: String,
}

impl<Db: ConnectionTrait> Objects<'_, Db> {
    /// Puts the table together.
    pub(super) async fn table(
        &self,
        temporary: Temporary,
        values: UnknownValues,
    ) -> Result<PastTable, DbErr> {
        self.check_recorded()?;
        temporary.create(self.db).await?;
        let moves = self.read_events(&temporary).await?;
        let mut building = Building {
            temporary: &temporary,
            values,
            unknown: self.unknown_columns().await?,
            rows: Vec::new(),
            keys: Vec::new(),
            existed: None,
            is_changed: false,
        };
        let mut involved: Vec<String> = moves
            .into_iter()
            .flat_map(|(from, to)| [from, to])
            .collect();
        involved.sort();
        involved.dedup();
        if !involved.is_empty() {
            let rows = self.rows(&involved).await?;
            let pasts = self.moved(&involved).await?;
            for (id, past) in pasts {
                let key = rows.get(&id).map(|row| self.info().key_of(row));
                building.add(self, &id, past, key)?;
            }
            building.write(self).await?;
        }
        self.read_objects(&involved, &mut building).await?;
        if building.is_changed {
            temporary.index(self.db).await?;
        }
        self.check_begin(&building).await?;
        let select = building.select(self);
        let unknown = building.unknown;
        Ok(PastTable {
            info: self.info(),
            unknown,
            select,
        })
    }

    /// Writes the numbers of the records after the moment. Returns the changes of keys.
    async fn read_events(&self, temporary: &Temporary) -> Result<Vec<(String, String)>, DbErr> {
        let mut moves = Vec::new();
        let mut after = None;
        loop {
            let ids = events::next_ids(self.db, self.info(), self.place, after).await?;
            temporary.add_events(self.db, &ids).await?;
            moves.extend(self.moves_of(&ids).await?);
            match ids.last() {
                Some(last) if ids.len() as u64 == CHUNK => after = Some(last.id),
                _ => return Ok(moves),
            }
        }
    }

    /// Puts the objects together that are not among the moved ones.
    async fn read_objects(
        &self,
        moved: &[String],
        building: &mut Building<'_>,
    ) -> Result<(), DbErr> {
        let mut after = None;
        let mut open: BTreeMap<String, Replay<'_>> = BTreeMap::new();
        loop {
            let next = (building.temporary)
                .next_events(self.db, after.as_ref(), RECORDS)
                .await?;
            let ids = next.iter().map(|(_, id)| *id);
            let records = events::of_model(self.info()).filter(C::Id.is_in(ids));
            let mut records = events::read(self.db, records).await?;
            records.retain(|event| moved.binary_search(&event.object_id).is_err());
            for event in &records {
                let replay =
                    (open.entry(event.object_id.clone())).or_insert_with(|| Replay::new(self.plan));
                if self.place.has_reached(event.occurred_at) {
                    replay.restart();
                } else {
                    replay.push(event);
                }
            }
            let is_last = next.len() < RECORDS;
            // The records of the last object may go on. Texts may be ordered without regard to spaces at their ends.
            let last = next.last().map(|(id, _)| id.trim_end().to_owned());
            let goes_on = |id: &str| !is_last && last.as_deref() == Some(id.trim_end());
            let (goes_on, complete): (BTreeMap<_, _>, BTreeMap<_, _>) =
                open.into_iter().partition(|(id, _)| goes_on(id));
            open = goes_on;
            self.add_complete(complete, building).await?;
            if is_last {
                return Ok(());
            }
            after = next.into_iter().last();
        }
    }

    async fn add_complete(
        &self,
        complete: BTreeMap<String, Replay<'_>>,
        building: &mut Building<'_>,
    ) -> Result<(), DbErr> {
        let ids: Vec<String> = complete.keys().cloned().collect();
        let mut rows = self.rows(&ids).await?;
        for (id, replay) in complete {
            let row = rows.remove(&id);
            let key = row.as_ref().map(|row| self.info().key_of(row));
            building.add(self, &id, replay.finish(row), key)?;
        }
        building.write(self).await
    }

    /// The columns of which no value is known: those that the log leaves out, and those that were added later.
    async fn unknown_columns(
        &self,
    ) -> Result<BTreeMap<&'static str, (UnknownReason, Option<String>)>, DbErr> {
        let mut unknown = BTreeMap::new();
        let mut recorded_columns = Vec::new();
        for (at, (column, mode)) in self
            .info()
            .columns
            .iter()
            .zip(&self.plan.columns)
            .enumerate()
        {
            match recorded(*mode) {
                Err(UnknownReason::NotRecorded) => {
                    unknown.insert(column.name, (UnknownReason::NotRecorded, None));
                }
                _ => recorded_columns.push((at, column.name)),
            }
        }
        // A record of a whole row has all columns that there were.
        let whole = AuditQuery::new()
            .model(self.info().model())
            .action([Action::Create, Action::Delete, Action::Snapshot])
            .not(AuditQuery::new().source(Source::Manual));
        let last = newest_before(self.db, &whole, self.place.first).await?;
        if let Some(changes) = last.and_then(|record| record.changed()) {
            let fields: BTreeSet<usize> = (changes.iter())
                .filter_map(|(field, _)| self.info().column_in_log(field))
                .collect();
            for (at, name) in recorded_columns {
                if !fields.contains(&at) {
                    unknown.insert(name, (UnknownReason::AddedLater, None));
                }
            }
        }
        Ok(unknown)
    }

    /// Refuses a moment before the log begins, if there were rows then.
    async fn check_begin(&self, building: &Building<'_>) -> Result<(), DbErr> {
        if events::is_recorded_before(self.db, self.info(), self.place).await? {
            return Ok(());
        }
        let unchanged = building.unchanged("1");
        let backend = self.db.get_database_backend();
        let any = sea_orm::Statement::from_string(backend, format!("{unchanged} LIMIT 1"));
        let example = match &building.existed {
            Some(id) => Some(format!("the object {id} is older than the log")),
            None => (self.db.query_one_raw(any).await?)
                .map(|_| "there are rows that no record has created".to_owned()),
        };
        match example {
            None => Ok(()),
            Some(example) => Err(self.unknown(format!(
                "the moment is before the first record of the model, and {example}"
            ))),
        }
    }
}

/// A table that is put together.
struct Building<'t> {
    temporary: &'t Temporary,
    values: UnknownValues,
    unknown: BTreeMap<&'static str, (UnknownReason, Option<String>)>,
    rows: Vec<Vec<Value>>,
    keys: Vec<Vec<Value>>,
    /// An object that existed at the moment.
    existed: Option<String>,
    is_changed: bool,
}

impl Building<'_> {
    /// Adds an object that has changed, with the key of its row if there is one now.
    fn add<Db: ConnectionTrait>(
        &mut self,
        objects: &Objects<'_, Db>,
        id: &str,
        past: Past,
        key: Option<Vec<Value>>,
    ) -> Result<(), DbErr> {
        self.is_changed = true;
        self.keys.extend(key);
        let Past::Present(row) = past else {
            return Ok(());
        };
        self.existed.get_or_insert_with(|| id.to_owned());
        let row = self.row(objects, id, row)?;
        self.rows.push(row);
        Ok(())
    }

    fn row<Db: ConnectionTrait>(
        &mut self,
        objects: &Objects<'_, Db>,
        id: &str,
        row: PastRow,
    ) -> Result<Vec<Value>, DbErr> {
        let info = objects.info();
        // The key is the one that the object had then.
        let key = objects.key_of(id)?;
        let mut values = Vec::with_capacity(row.values.len());
        for (at, (value, column)) in row.values.into_iter().zip(&info.columns).enumerate() {
            if let Some(part) = info.key.iter().position(|key| *key == at) {
                values.push(key[part].clone());
                continue;
            }
            let null =
                || decode(&serde_json::Value::Null, &column.shape).unwrap_or(Value::String(None));
            let value = match value {
                PastValue::Current(value) => Ok(value),
                PastValue::Recorded(json) => {
                    decode(&json, &column.shape).map_err(|_| (UnknownReason::Unreadable, None))
                }
                PastValue::Unknown(reason, current) => Err((reason, current)),
            };
            let is_never_known = matches!(self.unknown.get(column.name), Some((_, None)));
            values.push(match value {
                Ok(_) if is_never_known && self.values != UnknownValues::Current => null(),
                Ok(value) => value,
                Err((reason, current)) => {
                    (self.unknown.entry(column.name)).or_insert((reason, Some(id.to_owned())));
                    match self.values {
                        UnknownValues::Current => current.unwrap_or_else(null),
                        UnknownValues::Refuse | UnknownValues::Null => null(),
                    }
                }
            });
        }
        Ok(values)
    }

    async fn write<Db: ConnectionTrait>(&mut self, objects: &Objects<'_, Db>) -> Result<(), DbErr> {
        self.temporary.add_keys(objects.db, &self.keys).await?;
        self.temporary.add_rows(objects.db, &self.rows).await?;
        self.keys.clear();
        self.rows.clear();
        Ok(())
    }

    /// The rows of the table that have not changed since the moment.
    fn unchanged(&self, columns: &str) -> String {
        let real = &self.temporary.real;
        if !self.is_changed {
            return format!("SELECT {columns} FROM {real}");
        }
        let is_same = self.temporary.key_matches("changed", "unchanged");
        let keys = &self.temporary.keys;
        format!(
            "SELECT {columns} FROM {real} AS unchanged WHERE NOT EXISTS (SELECT 1 FROM {keys} AS changed WHERE {is_same})"
        )
    }

    fn select<Db: ConnectionTrait>(&self, objects: &Objects<'_, Db>) -> String {
        let backend = objects.db.get_database_backend();
        let columns: Vec<String> = (objects.info().columns.iter())
            .map(|column| {
                let name = quoted(backend, column.name);
                let is_unknown = matches!(self.unknown.get(column.name), Some((_, None)));
                if is_unknown && self.values == UnknownValues::Null {
                    // NULL of the column's type.
                    format!("CASE WHEN 1 = 0 THEN {name} END AS {name}")
                } else {
                    name
                }
            })
            .collect();
        let unchanged = self.unchanged(&columns.join(", "));
        if !self.is_changed {
            return unchanged;
        }
        let (all, rows) = (self.temporary.all_columns(), &self.temporary.rows);
        format!("{unchanged} UNION ALL SELECT {all} FROM {rows}")
    }
}
