//! INSERT with a conflict clause that changes or replaces rows, on PostgreSQL and SQLite.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::candidates::{Candidates, candidates, listed};
use super::returning::Returns;
use super::select_rows::{RowLock, WAS_THERE, was_there};
use super::update::repeated_keys;
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer};
use crate::auditable::EntityInfo;
use crate::sql::{Conflict, ConflictAction, Insert, Rows};

/// A row in its state after an INSERT with a conflict clause.
pub(super) struct Written {
    pub(super) row: RowValues,
    /// Whether it existed before; `None` if unknown.
    pub(super) was_there: Option<bool>,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn upsert(
        &self,
        request: Request<'_>,
        insert: &Insert,
        conflict: &Conflict,
        returns: Returns,
    ) -> Result<ExecOutput, CaptureError> {
        let call = request.call;
        if request.sets_key(&conflict.assigned) {
            return Err(CaptureError::Uncapturable(
                "its conflict clause changes keys",
            ));
        }
        if !returns.has_keys() {
            return Err(CaptureError::Uncapturable(
                "the keys of the rows that it writes are not known",
            ));
        }
        if self.server.is_postgres() && !request.live.is_lockable {
            return Err(CaptureError::Uncapturable("the role may not lock the rows"));
        }
        let rows = match &insert.rows {
            // PostgreSQL reports for each row whether it existed.
            Rows::Selected if self.server.is_postgres() => Vec::new(),
            _ => listed(request, insert).ok_or(CaptureError::Uncapturable(
                "INSERT .. SELECT with a conflict clause does not say which rows it conflicts with",
            ))?,
        };
        let candidates = candidates(request, insert, conflict, &rows)?;
        let replaces = conflict.action == ConflictAction::Replace;
        let lock = RowLock::of_keys(replaces || request.sets_keys(&conflict.assigned))
            .unless_snapshot(request.live);
        let read = self.conflicting(request, &candidates, &[], lock);
        let mut before = self.guarded_read(call, true, read).await?;
        let trail = if replaces && !request.audited.followers.is_empty() {
            let mut before = self.store_of(request, &before);
            self.descendants(request, &mut before).await?
        } else {
            Vec::new()
        };
        let clause = self.clause(request, returns);
        let (returned, doubt) = self.run_query(call, request.statement, &clause).await?;
        let id = self.last_insert_id(request).await?;
        let written = self
            .written(request, &candidates, &before, returns, &returned)
            .await?;
        if self.server.is_postgres() {
            // Another client has deleted a row that the snapshot still shows, and the statement inserted it again.
            let is_new = |key: &RowValues| {
                (written.iter()).any(|w| {
                    w.was_there == Some(false) && request.audited.info.key_of(&w.row) == *key
                })
            };
            before.retain(|row| !is_new(&request.audited.info.key_of(row)));
            self.check_keys(request, &before, &written).await?;
        }
        self.record_upserted(request, before, written, replaces)?;
        self.flush_when_full().await?;
        self.record_descendants(trail).await?;
        doubt.disarm();
        Ok(answer(call, returns, returned, id)?)
    }

    /// Reports rows whose keys no longer exist, if there are other rows that had not been read: a trigger gave them
    /// other keys.
    async fn check_keys(
        &self,
        request: Request<'_>,
        before: &[RowValues],
        written: &[Written],
    ) -> Result<(), DbErr> {
        let info = request.audited.info;
        let is_written: HashSet<RowValues> = written.iter().map(|w| info.key_of(&w.row)).collect();
        let left: Vec<RowValues> = (before.iter().map(|row| info.key_of(row)))
            .filter(|key| !is_written.contains(key))
            .collect();
        let known: HashSet<RowValues> = before.iter().map(|row| info.key_of(row)).collect();
        let is_unread =
            |w: &Written| w.was_there == Some(true) && !known.contains(&info.key_of(&w.row));
        if left.is_empty() || !written.iter().any(is_unread) {
            return Ok(());
        }
        self.report_deleted(info, left).await
    }

    /// The written rows in their current state.
    async fn written(
        &self,
        request: Request<'_>,
        candidates: &Candidates<'_>,
        before: &[RowValues],
        returns: Returns,
        returned: &[QueryResult],
    ) -> Result<Vec<Written>, DbErr> {
        let info = request.audited.info;
        let mut seen = HashSet::new();
        let mut keys: Vec<RowValues> = (self.read_returned(request, returns, returned).iter())
            .map(|row| info.key_of(row))
            .filter(|key| seen.insert(key.clone()))
            .collect();
        if self.server.is_postgres() {
            let rows = self.rows_with(info, &info.key, &keys, WAS_THERE).await?;
            let mut written: Vec<Written> = (rows.into_iter())
                .map(|(image, row)| Written {
                    row: image,
                    was_there: Some(was_there(&row)),
                })
                .collect();
            self.drop_older(info, &mut written);
            return Ok(written);
        }
        keys.extend((before.iter().map(|row| info.key_of(row))).filter(|key| !seen.contains(key)));
        // No other client writes meanwhile, and a row of the statement may have replaced another of its rows.
        let now = self
            .conflicting(request, candidates, &keys, RowLock::None)
            .await?;
        let written = now.into_iter().map(|row| Written {
            row,
            was_there: Some(false),
        });
        Ok(written.collect())
    }

    /// Leaves out rows that another client has deleted, and that the transaction's snapshot shows beside the new row
    /// with their key. Two rows of which neither is new are reported.
    fn drop_older(&self, info: &EntityInfo, written: &mut Vec<Written>) {
        let rows: Vec<RowValues> = written.iter().map(|w| w.row.clone()).collect();
        let mut repeated = repeated_keys(info, &rows);
        if repeated.is_empty() {
            return;
        }
        written.retain(|w| w.was_there == Some(false) || !repeated.contains(&info.key_of(&w.row)));
        for w in written.iter() {
            repeated.remove(&info.key_of(&w.row));
        }
        self.report_same(&repeated);
    }

    /// Records the change of each existing row, and the new rows.
    pub(super) fn record_upserted(
        &self,
        request: Request<'_>,
        before: Vec<RowValues>,
        written: Vec<Written>,
        replaces: bool,
    ) -> Result<(), DbErr> {
        let (info, audited) = (request.audited.info, request.audited);
        let columns: Vec<String> = info.columns().map(str::to_owned).collect();
        let is_there: HashSet<RowValues> = written.iter().map(|w| info.key_of(&w.row)).collect();
        if replaces {
            // In the order of the database.
            for old in before
                .iter()
                .filter(|row| !is_there.contains(&info.key_of(row)))
            {
                self.record_deleted(audited, self.source, old)?;
            }
        }
        let mut before: HashMap<RowValues, RowValues> = (before.into_iter())
            .map(|row| (info.key_of(&row), row))
            .collect();
        for Written { row, was_there } in &written {
            match (before.remove(&info.key_of(row)), was_there) {
                (Some(old), _) => {
                    self.record_updated(audited, self.source, &[], old, row)?;
                }
                (None, Some(false)) => self.record_created(audited, row)?,
                // Another client had inserted it since, or that cannot be excluded.
                (None, _) => self.record_updated_from_unknown(audited, &columns, row)?,
            }
        }
        Ok(())
    }
}
