//! DELETE.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr};

use super::image_store::{Budget, Cursor, ImageStore};
use super::returning::Returns;
use super::update::{NO_KEY, VOLATILE};
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer, answer_of};
use crate::action::Source;
use crate::sql::{Returning, UpdateOrDelete, Volatility};

/// The rows that a DELETE returned.
pub(super) enum Returned {
    Rows(Vec<RowValues>),
    Keys(Vec<RowValues>),
    /// The number of rows.
    Count(Option<u64>),
}

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn delete(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call) = (request.audited.info, request.call);
        let returns = self.returns(request);
        if request.audited.key_columns().is_empty() {
            return Err(CaptureError::Uncapturable(NO_KEY));
        }
        if let Some(why) = (request.live.refuses_reading(&request.audited.all_columns()))
            .or_else(|| self.lacks_columns(request))
        {
            return Err(CaptureError::Uncapturable(why));
        }
        // The returned rows are the deleted rows: no read is needed before.
        let returns_all = matches!(
            returns,
            Returns::Appended | Returns::Extended | Returns::Rows
        );
        let is_alone = request.audited.followers.is_empty();
        if returns_all && is_alone && !info.access.refers_to_itself {
            return self.delete_returning(request, returns).await;
        }
        if change.volatility == Volatility::Volatile {
            return Err(CaptureError::Uncapturable(VOLATILE));
        }
        self.check_readable(request, change, returns)?;
        let read = self.read_before(request, change);
        let mut before = self
            .guarded_read(call, change.may_fail || request.live.is_secured, read)
            .await?;
        self.check_kept(call, &before)?;
        let trail = if is_alone {
            Vec::new()
        } else {
            (self.descendants(request, &mut before).await)?
        };
        if before.has_spilled() {
            let deleting = self.delete_spilled(request, change, returns, before, trail);
            return deleting.await;
        }
        let before = before.into_rows();
        let (answer, returned, doubt) = if matches!(returns, Returns::Appended | Returns::Extended)
        {
            let clause = self.clause(request, returns);
            let (rows, doubt) = self.run_query(call, request.statement, &clause).await?;
            let id = self.last_insert_id(request).await?;
            let images = self.read_returned(request, returns, &rows);
            (
                answer(call, returns, rows, id)?,
                Returned::Rows(images),
                doubt,
            )
        } else {
            let ran = self.run(call, request.statement).await?;
            let returned = self.returned(request, returns, &ran.answer).await?;
            (ran.answer, returned, ran.doubt)
        };
        let deleted = self.deleted(request, change, before, returned).await?;
        if request.audited.records {
            for (row, source) in &deleted {
                self.record_deleted(request.audited, *source, row)?;
                self.flush_when_full().await?;
            }
        }
        self.record_descendants(trail).await?;
        self.check_hidden(request).await?;
        doubt.disarm();
        Ok(answer)
    }

    /// Runs a DELETE that returns the rows it deletes. Rows returned only for the log are kept like rows that are
    /// read before a statement: bounded in bytes, the rest in a file.
    async fn delete_returning(
        &self,
        request: Request<'_>,
        returns: Returns,
    ) -> Result<ExecOutput, CaptureError> {
        let (call, audited) = (request.call, request.audited);
        if returns == Returns::Rows {
            let (rows, doubt) = self.run_query(call, request.statement, "").await?;
            for row in self.read_returned(request, returns, &rows) {
                self.record_deleted(audited, self.source, &row)?;
                self.flush_when_full().await?;
            }
            doubt.disarm();
            return Ok(answer(call, returns, rows, 0)?);
        }
        let budget = Budget::new(self.config.before_row_bytes());
        let mut deleted = ImageStore::new(self.config, &audited.plan, audited.info, &budget);
        let mut keep = |row| deleted.push(row);
        let (count, doubt) = self.run_appended(request, returns, &mut keep).await?;
        deleted.finish();
        let id = self.last_insert_id(request).await?;
        self.check_kept_after(&deleted)?;
        let mut cursor = Cursor::default();
        loop {
            let rows = self.chunk_after(&mut deleted, &mut cursor)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                self.record_deleted_row(audited, self.source, row)?;
                self.flush_when_full().await?;
            }
        }
        doubt.disarm();
        Ok(answer_of(call, count, id)?)
    }

    pub(super) async fn returned(
        &self,
        request: Request<'_>,
        returns: Returns,
        answer: &ExecOutput,
    ) -> Result<Returned, DbErr> {
        let info = request.audited.info;
        Ok(match (answer, returns) {
            (ExecOutput::Rows(rows), Returns::Rows) => Returned::Rows(self.read(info, rows)),
            (ExecOutput::Rows(rows), Returns::Keys) => Returned::Keys(
                (self.read(info, rows).iter())
                    .map(|row| info.key_of(row))
                    .collect(),
            ),
            (ExecOutput::Executed(result), _) => Returned::Count(Some(result.rows_affected())),
            (ExecOutput::Rows(rows), _)
                if !matches!(request.write.returning, Returning::Nothing) =>
            {
                Returned::Count(Some(rows.len() as u64))
            }
            // It returns no rows, whatever it wrote.
            _ if self.server.is_mysql() => Returned::Count(Some(self.row_count().await?)),
            _ => Returned::Count(None),
        })
    }

    /// The rows that a DELETE removed, in their state before it, each with its source.
    async fn deleted(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        before: Vec<RowValues>,
        returned: Returned,
    ) -> Result<Vec<(RowValues, Source)>, DbErr> {
        let info = request.audited.info;
        let own = |row| (row, self.source);
        let (mut returned, is_complete) = match returned {
            Returned::Count(count) => {
                // They are locked, and still match, unless that depends on other tables, or on the time.
                if count == Some(before.len() as u64) && !self.may_differ(request, change) {
                    return Ok(before.into_iter().map(own).collect());
                }
                // A trigger preserved some, or the number or set of deleted rows is unknown.
                let left = self.left_of(request, &before).await?;
                let gone: Vec<_> = (before.into_iter())
                    .filter(|row| !left.contains_key(&info.key_of(row)))
                    .map(own)
                    .collect();
                if self.may_grow(change) && count.is_some_and(|count| count > gone.len() as u64) {
                    self.unexpected_rows(request, &[]);
                }
                return Ok(gone);
            }
            Returned::Rows(rows) => {
                let rows = rows.into_iter().map(|row| (info.key_of(&row), Some(row)));
                (
                    rows.collect::<HashMap<RowValues, Option<RowValues>>>(),
                    true,
                )
            }
            Returned::Keys(keys) => (keys.into_iter().map(|key| (key, None)).collect(), false),
        };
        // Rows of one DELETE may refer to each other. A row that a cascade deleted, or whose reference it cleared,
        // before the DELETE reached it is not returned, or not in its original state.
        let (mut gone, mut others) = (Vec::new(), Vec::new());
        for row in before {
            match returned.remove(&info.key_of(&row)) {
                Some(_) => gone.push(own(row)),
                None => others.push(row),
            }
        }
        if !returned.is_empty() {
            if !request.audited.followers.is_empty() || !is_complete {
                let keys: Vec<RowValues> = returned.keys().cloned().collect();
                self.unexpected_rows(request, &keys);
            }
            gone.extend(returned.into_values().flatten().map(own));
        }
        if !others.is_empty() {
            let left = self.left_of(request, &others).await?;
            others.retain(|row| !left.contains_key(&info.key_of(row)));
            gone.extend(others.into_iter().map(|row| (row, Source::Cascade)));
        }
        Ok(gone)
    }

    pub(super) async fn left_of(
        &self,
        request: Request<'_>,
        rows: &[RowValues],
    ) -> Result<HashMap<RowValues, RowValues>, DbErr> {
        let info = request.audited.info;
        let keys: Vec<RowValues> = rows.iter().map(|row| info.key_of(row)).collect();
        // Rows that cannot be read are not known to be deleted.
        let all = || rows.iter().map(|row| (info.key_of(row), row.clone()));
        let left = self.by_key_if_read(info, &keys).await?;
        Ok(left.unwrap_or_else(|| all().collect()))
    }

    /// Reports deleted rows that had not been read, perhaps with others that refer to them.
    pub(super) fn unexpected_rows(&self, request: Request<'_>, keys: &[RowValues]) {
        let why = if request.audited.followers.is_empty() {
            "rows were deleted that had not been read before it"
        } else {
            "rows were deleted that had not been read before it, and rows that refer to them may be \
             deleted or changed, too"
        };
        self.gap(why, keys);
    }
}
