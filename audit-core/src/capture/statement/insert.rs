//! INSERT, with or without a conflict clause.

use std::collections::HashMap;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::rows::{is_in, table};
use super::{Answer, Audited, Call, Engine, Problem, Shape};
use crate::sql::{Cell, Conflict, ConflictAction, Insert, Write, is_name};

type Image = Vec<Value>;

const WHOLE: Shape = Shape {
    whole: true,
    qualified: false,
    meets: false,
};

/// The rows that an INSERT could meet: per unique set of columns, the values that it has for them.
struct Meeting<'a>(Vec<(Vec<usize>, Vec<Vec<&'a Cell>>)>);

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn insert(
        &self,
        call: Call,
        statement: Statement,
        write: &Write,
        insert: &Insert,
        audited: &Audited,
    ) -> Result<Answer, Problem> {
        let returns = self.server.others_return();
        let plain = match &insert.conflict {
            None => true,
            // Only what was inserted is returned.
            Some(conflict) => conflict.action == ConflictAction::Nothing && !self.server.is_mysql(),
        };
        if plain && returns {
            let (mut returned, now, doubt) = self
                .run_returning(call, statement, write, audited, WHOLE)
                .await?;
            returned.last_insert_id = self.last_insert_id(call, audited, &now).await?;
            for row in &now {
                self.tell_created(audited, row)?;
                self.flush_when_full().await?;
            }
            doubt.settle();
            return Ok(returned.answer(call)?);
        }
        if plain {
            return self
                .insert_unreturned(call, statement, insert, audited)
                .await;
        }
        let Some(conflict) = &insert.conflict else {
            return Err(Problem::Uncapturable("its conflict clause is not known"));
        };
        let meeting = meeting(insert, conflict, audited)?;
        let mut before = self
            .met(&statement, &meeting, &[], audited, returns)
            .await?;
        if self.server.is_mysql()
            && !before.is_empty()
            && let Some((columns, _)) = meeting.0.first()
        {
            // As they are now, not when the transaction began. Only what is there is locked, no gap, and
            // by the index that the INSERT comes by: the other way round, two would wait for each other.
            let values: Vec<Image> = (before.iter())
                .map(|row| columns.iter().map(|at| row[*at].clone()).collect())
                .collect();
            before = self
                .rows_where(audited.info, columns, &values, true)
                .await?;
        }
        if audited.has_key_among(&conflict.assigned) {
            return Err(Problem::Uncapturable("its conflict clause changes keys"));
        }
        self.upsert(
            call,
            statement,
            write,
            &meeting,
            conflict.action,
            audited,
            before,
            insert.rows.as_ref().map_or(0, Vec::len) as u64,
        )
        .await
    }

    /// Runs an INSERT that may change or replace rows, and compares what was there before and after.
    #[allow(clippy::too_many_arguments)] // all of them belong to the one statement
    async fn upsert(
        &self,
        call: Call,
        statement: Statement,
        write: &Write,
        meeting: &Meeting<'_>,
        action: ConflictAction,
        audited: &Audited,
        before: Vec<Image>,
        listed: u64,
    ) -> Result<Answer, Problem> {
        let info = audited.info;
        let keys: Vec<Image> = before.iter().map(|row| info.key_of(row)).collect();
        let trail = if action == ConflictAction::Replace && !audited.followers.is_empty() {
            self.descendants(audited, &before).await?
        } else {
            Vec::new()
        };
        let mut met = Vec::new();
        let (answer, now, doubt) = if self.server.is_mysql() {
            let again = statement.clone();
            let (answer, doubt) = self.run(call, statement).await?;
            let mut now = self.met(&again, meeting, &keys, audited, false).await?;
            if let Answer::Executed(result) = &answer
                && now.is_empty()
                && result.rows_affected() > 0
            {
                // It met no unique column that is known, but perhaps one that is not: then MySQL counts
                // two, and tells the number of the row.
                let ids = self.numbered(result.last_insert_id(), listed);
                now = self.rows_where(info, &info.key, &ids, true).await?;
                if now.is_empty() {
                    self.appeared(info.model(), result.rows_affected())?;
                }
            }
            (answer, now, doubt)
        } else {
            let shape = Shape {
                meets: self.server.is_postgres() && action == ConflictAction::Update,
                ..WHOLE
            };
            let (mut returned, mut now, doubt) = self
                .run_returning(call, statement, write, audited, shape)
                .await?;
            met = std::mem::take(&mut returned.met);
            returned.last_insert_id = self.last_insert_id(call, audited, &now).await?;
            if action == ConflictAction::Replace {
                let returned: Vec<Image> = now.iter().map(|row| info.key_of(row)).collect();
                let gone: Vec<Image> = keys
                    .iter()
                    .filter(|key| !returned.contains(key))
                    .cloned()
                    .collect();
                now.extend(self.rows_where(info, &info.key, &gone, false).await?);
            }
            (returned.answer(call)?, now, doubt)
        };
        if let (Answer::Executed(result), [new], [], true) = (
            &answer,
            now.as_slice(),
            before.as_slice(),
            self.server.is_mysql(),
        ) && result.rows_affected() == 2
            && listed == 1
        {
            // MySQL counts an updated row twice: another transaction had put it there unseen. Of several
            // rows, one may have met another of the same statement.
            self.tell_updated_from_unknown(audited, &all_columns(audited), new)?;
            doubt.settle();
            return Ok(answer);
        }
        // A statement that meets a row of its own returns it twice.
        let last: HashMap<Image, usize> = now
            .iter()
            .enumerate()
            .map(|(at, row)| (info.key_of(row), at))
            .collect();
        let order: Vec<Image> = keys;
        let mut before: HashMap<Image, Image> = order.iter().cloned().zip(before).collect();
        for (at, new) in now.iter().enumerate() {
            let key = info.key_of(new);
            if last.get(&key) != Some(&at) {
                continue;
            }
            match before.remove(&key) {
                Some(old) => self.tell_updated(audited, self.source, old, new)?,
                // Another transaction had put it there since.
                None if met.get(at) == Some(&true) => {
                    self.tell_updated_from_unknown(audited, &all_columns(audited), new)?;
                }
                None => self.tell_created(audited, new)?,
            }
            self.flush_when_full().await?;
        }
        if action == ConflictAction::Replace {
            for old in order.iter().filter_map(|key| before.remove(key)) {
                self.tell_deleted(audited, self.source, &old)?;
            }
            self.tell_descendants(trail).await?;
        }
        doubt.settle();
        Ok(answer)
    }

    /// Runs an INSERT where the database returns no rows, and reads them by their keys.
    async fn insert_unreturned(
        &self,
        call: Call,
        statement: Statement,
        insert: &Insert,
        audited: &Audited,
    ) -> Result<Answer, Problem> {
        let info = audited.info;
        let Some(rows) = &insert.rows else {
            return Err(Problem::Uncapturable(
                "the keys of INSERT .. SELECT are not known",
            ));
        };
        let again = statement.clone();
        let given = match cells(insert, &info.key, info, rows) {
            Given::All(cells) => Some(Meeting(vec![(info.key.clone(), cells)])),
            Given::None if info.access.numbered && info.key.len() == 1 => None,
            _ => return Err(Problem::Uncapturable("its keys are not in the statement")),
        };
        let (answer, doubt) = self.run(Call::Execute, statement).await?;
        let Answer::Executed(result) = answer else {
            return Ok(answer);
        };
        let now = if let Some(meeting) = &given {
            self.met(&again, meeting, &[], audited, false).await?
        } else {
            let ids = self.numbered(result.last_insert_id(), rows.len() as u64);
            self.rows_where(info, &info.key, &ids, false).await?
        };
        for row in &now {
            self.tell_created(audited, row)?;
            self.flush_when_full().await?;
        }
        if (now.len() as u64) < result.rows_affected() {
            self.appeared(info.model(), result.rows_affected() - now.len() as u64)?;
        }
        doubt.settle();
        Ok(match call {
            Call::Execute => Answer::Executed(result),
            _ => Answer::Rows(Vec::new()),
        })
    }

    /// The numbers that rows of one INSERT got: InnoDB takes them in one go.
    fn numbered(&self, first: u64, rows: u64) -> Vec<Image> {
        (0..rows)
            .map(|row| vec![Value::BigUnsigned(Some(first + row * self.server.step()))])
            .collect()
    }

    /// The number that an application reads from the result of an INSERT.
    async fn last_insert_id(
        &self,
        call: Call,
        audited: &Audited,
        now: &[Image],
    ) -> Result<u64, DbErr> {
        if call != Call::Execute || self.server.is_postgres() {
            return Ok(0);
        }
        if self.server.is_sqlite() {
            let sql = "SELECT last_insert_rowid() AS id";
            let backend = self.db.get_database_backend();
            let row = self
                .db
                .query_one_raw(Statement::from_string(backend, sql))
                .await?;
            let id: i64 = row.map_or(Ok(0), |row| row.try_get("", "id"))?;
            return Ok(id.unsigned_abs());
        }
        // MySQL tells the first.
        let key = now.first().map(|row| audited.info.key_of(row));
        Ok(match key.as_deref() {
            Some([Value::TinyInt(Some(id))]) => u64::from(id.unsigned_abs()),
            Some([Value::SmallInt(Some(id))]) => u64::from(id.unsigned_abs()),
            Some([Value::Int(Some(id))]) => u64::from(id.unsigned_abs()),
            Some([Value::BigInt(Some(id))]) => id.unsigned_abs(),
            Some([Value::TinyUnsigned(Some(id))]) => u64::from(*id),
            Some([Value::SmallUnsigned(Some(id))]) => u64::from(*id),
            Some([Value::Unsigned(Some(id))]) => u64::from(*id),
            Some([Value::BigUnsigned(Some(id))]) => *id,
            _ => 0,
        })
    }

    /// Reads the rows that an INSERT meets, and those with these keys.
    async fn met(
        &self,
        statement: &Statement,
        meeting: &Meeting<'_>,
        keys: &[Image],
        audited: &Audited,
        lock: bool,
    ) -> Result<Vec<Image>, DbErr> {
        if meeting.0.is_empty() && keys.is_empty() {
            return Ok(Vec::new());
        }
        let info = audited.info;
        let backend = self.db.get_database_backend();
        let list = (info.access.list)(backend, None, "");
        let mut sql = self.composer(statement);
        sql.text("SELECT ")
            .text(&list)
            .text(" FROM ")
            .text(&table(backend, info))
            .text(" WHERE ");
        for (at, (columns, rows)) in meeting.0.iter().enumerate() {
            if at > 0 {
                sql.text(" OR ");
            }
            let several = columns.len() > 1;
            sql.text(if several { "(" } else { "" });
            for (at, column) in columns.iter().enumerate() {
                sql.text(if at > 0 { ", " } else { "" })
                    .name(info.columns[*column].name);
            }
            sql.text(if several { ") IN (" } else { " IN (" });
            if several && self.server.is_sqlite() {
                sql.text("VALUES ");
            }
            for (at, row) in rows.iter().enumerate() {
                sql.text(if at > 0 { ", " } else { "" })
                    .text(if several { "(" } else { "" });
                for (at, cell) in row.iter().enumerate() {
                    sql.text(if at > 0 { ", " } else { "" });
                    if let Cell::Stable(template) = cell {
                        sql.template(template);
                    }
                }
                sql.text(if several { ")" } else { "" });
            }
            sql.text(")");
        }
        if !keys.is_empty() {
            sql.text(if meeting.0.is_empty() { "" } else { " OR " });
            is_in(&mut sql, backend, info, "", &info.key, keys);
        }
        if lock && self.server.is_postgres() {
            // Locking what is not there would lock gaps in MySQL, and others' inserts with them.
            sql.text(" FOR UPDATE");
        }
        let rows = self.db.query_all_raw(sql.finish()).await?;
        rows.iter().map(|row| (info.access.read)(row, "")).collect()
    }
}

fn all_columns(audited: &Audited) -> Vec<String> {
    audited.info.columns().map(str::to_owned).collect()
}

/// By which values an INSERT can meet rows that are there.
fn meeting<'i>(
    insert: &'i Insert,
    conflict: &Conflict,
    audited: &Audited,
) -> Result<Meeting<'i>, Problem> {
    let info = audited.info;
    let Some(rows) = &insert.rows else {
        return Err(Problem::Uncapturable(
            "INSERT .. SELECT with a conflict clause does not say which rows it meets",
        ));
    };
    let sets: Vec<Vec<usize>> = match &conflict.target {
        Some(target) => {
            let columns: Option<Vec<usize>> = (target.iter())
                .map(|name| {
                    info.columns
                        .iter()
                        .position(|column| is_name(column.name, name))
                })
                .collect();
            match columns {
                Some(columns) => vec![columns],
                None => {
                    return Err(Problem::Uncapturable(
                        "its conflict clause names something that is no column",
                    ));
                }
            }
        }
        None => std::iter::once(info.key.clone())
            .chain(info.access.unique.iter().map(|at| vec![*at]))
            .collect(),
    };
    let mut meeting = Vec::new();
    for set in sets {
        match cells(insert, &set, info, rows) {
            Given::All(cells) | Given::Some(cells) => meeting.push((set, cells)),
            Given::None => {}
            Given::Unstable => {
                return Err(Problem::Uncapturable(
                    "a value that decides which row it meets is different each time",
                ));
            }
        }
    }
    Ok(Meeting(meeting))
}

/// The cells of these columns in every row that has all of them.
fn cells<'i>(
    insert: &Insert,
    columns: &[usize],
    info: &crate::auditable::EntityInfo,
    rows: &'i [Vec<Cell>],
) -> Given<'i> {
    let position = |at: &usize| {
        let name = info.columns[*at].name;
        if insert.columns.is_empty() {
            // All columns in the table's order, which is taken to be the entity's.
            return Some(*at);
        }
        insert
            .columns
            .iter()
            .position(|column| is_name(column, name))
    };
    let positions: Option<Vec<usize>> = columns.iter().map(position).collect();
    let Some(positions) = positions else {
        return Given::None;
    };
    let mut complete = Vec::with_capacity(rows.len());
    for row in rows {
        let cells: Option<Vec<&Cell>> = positions.iter().map(|at| row.get(*at)).collect();
        let Some(cells) = cells else { continue };
        if cells.iter().any(|cell| matches!(cell, Cell::Unstable)) {
            return Given::Unstable;
        }
        if cells.iter().all(|cell| matches!(cell, Cell::Stable(_))) {
            complete.push(cells);
        }
    }
    match complete.len() {
        0 => Given::None,
        all if all == rows.len() => Given::All(complete),
        _ => Given::Some(complete),
    }
}

/// Which rows of an INSERT have values for some columns.
enum Given<'a> {
    All(Vec<Vec<&'a Cell>>),
    Some(Vec<Vec<&'a Cell>>),
    None,
    Unstable,
}
