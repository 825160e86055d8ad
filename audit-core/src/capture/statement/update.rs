//! UPDATE.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::insert::OWN_CONFLICTS;
use super::returning::Returns;
use super::select_rows::RowLock;
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer};
use crate::auditable::EntityInfo;
use crate::sql::{Returning, UpdateOrDelete, Volatility, is_name};
use crate::value::canonical_eq;

/// Why a statement is not captured if its condition cannot be evaluated in a separate read.
pub(super) const VOLATILE: &str =
    "its condition may select other rows, or have an effect of its own, when it is evaluated again";
/// Why a statement with LIMIT is not captured.
pub(super) const UNORDERED: &str = "its LIMIT may select other rows when it is evaluated again";
pub(super) const NO_KEY: &str = "its entity has no primary key";
pub(super) const NOT_FOUND: &str = "rows are not found any more under the keys that they had";
pub(super) const HIDDEN: &str = "row-level security hides rows that were written";
pub(super) const SEVERAL_KEYS: &str = "it changes the keys of several rows, which cannot be paired";
const SAME_KEY: &str = "several rows have one key, so that they cannot be paired";
const KEY_UNKNOWN: &str = "it gave a row another key, and the key that the row had is not known";
pub(super) const APPEARED: &str = "rows were written that had not been read before it";
const MAY_DIFFER: &str = "which rows it writes depends on more than these, and it may have written other rows than were \
                          read before it";

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn update(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call) = (request.audited.info, request.call);
        if request.live.resolves_conflicts {
            return Err(CaptureError::Uncapturable(OWN_CONFLICTS));
        }
        let returns = self.returns(request);
        self.check_readable(request, change, returns)?;
        let sets_key = request.sets_key(&change.assigned);
        let read = self.read_before(request, change);
        let before = self
            .guarded_read(call, change.may_fail || request.live.is_secured, read)
            .await?;
        self.check_kept(call, &before)?;
        if before.has_spilled() {
            return self.update_spilled(request, change, returns, before).await;
        }
        let before = before.into_rows();
        let followers = Box::pin(self.update_followers(request, &before)).await?;
        let moved = match (sets_key, before.as_slice()) {
            (false, _) | (true, []) => None,
            (true, [row]) => moved_key(request, change, row),
            (true, _) => {
                return Err(CaptureError::Uncapturable(SEVERAL_KEYS));
            }
        };
        if sets_key && !before.is_empty() && moved.is_none() && !returns.has_keys() {
            return Err(CaptureError::Uncapturable(
                "it sets a key to an expression, whose value this database does not return",
            ));
        }
        let (answer, now, count, doubt) =
            if matches!(returns, Returns::Appended | Returns::Extended) {
                let clause = self.clause(request, returns);
                let (rows, doubt) = self.run_query(call, request.statement, &clause).await?;
                let id = self.last_insert_id(request).await?;
                let now = self.read_returned(request, returns, &rows);
                (answer(call, returns, rows, id)?, Some(now), None, doubt)
            } else {
                let ran = self.run(call, request.statement).await?;
                let count = self.count_of(request, &ran).await?;
                let now = match &ran.answer {
                    ExecOutput::Rows(rows) if returns.has_keys() => Some(self.read(info, rows)),
                    _ => None,
                };
                (ran.answer, now, count, ran.doubt)
            };
        let is_known = now.is_some();
        let now = match now {
            // Their state when all triggers are done.
            Some(rows) if returns == Returns::Keys || request.live.has_triggers => {
                let keys: Vec<RowValues> = rows.iter().map(|row| info.key_of(row)).collect();
                self.rows_where(info, &info.key, &keys, RowLock::None)
                    .await?
            }
            Some(rows) => rows,
            None => {
                let keys: Vec<RowValues> = match moved {
                    Some(key) => vec![key],
                    None => before.iter().map(|row| info.key_of(row)).collect(),
                };
                self.rows_where(info, &info.key, &keys, self.lock_after())
                    .await?
            }
        };
        if !is_known {
            let accounted = if self.others_may_differ(request, change) {
                changed_rows(info, &before, &now)
            } else {
                before.len() as u64
            };
            self.check_count(request, change, count, accounted);
        }
        let was_written = is_known || count.is_none_or(|count| count > 0);
        self.record_changed(request, change, before, now, is_known, was_written)
            .await?;
        self.record_descendants(followers).await?;
        doubt.disarm();
        Ok(answer)
    }

    /// Whether the locked rows that were read may differ from those that the statement matches: its condition reads
    /// other tables, which another client may have changed; or it takes the first rows, and other rows now precede
    /// them. On SQLite no other client writes meanwhile.
    pub(super) fn others_may_differ(&self, request: Request<'_>, change: &UpdateOrDelete) -> bool {
        (change.reads_others && !self.server.is_sqlite())
            || (change.tail.is_some() && request.reads_committed)
    }

    /// Whether these rows may no longer match for any reason.
    pub(super) fn may_differ(&self, request: Request<'_>, change: &UpdateOrDelete) -> bool {
        self.others_may_differ(request, change) || change.reads_clock
    }

    /// Whether other rows than these may match when the statement runs. On SQLite only the clock has advanced.
    pub(super) fn may_grow(&self, change: &UpdateOrDelete) -> bool {
        !self.server.is_sqlite() || change.reads_clock
    }

    /// Reports a statement that wrote more rows than are accounted for: than the rows read before it, since only
    /// other rows can match newly; if that does not hold, than the changed rows.
    pub(super) fn check_count(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        count: Option<u64>,
        accounted: u64,
    ) {
        if !self.may_grow(change) || count.is_none_or(|count| count <= accounted) {
            return;
        }
        let why = if self.others_may_differ(request, change) {
            MAY_DIFFER
        } else {
            APPEARED
        };
        self.gap(why, &[]);
    }

    /// Refuses a statement whose rows cannot be read separately.
    pub(super) fn check_readable(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        returns: Returns,
    ) -> Result<(), CaptureError> {
        let audited = request.audited;
        let key = audited.key_columns();
        if key.is_empty() {
            return Err(CaptureError::Uncapturable(NO_KEY));
        }
        if let Some(why) = request.live.refuses_reading(&audited.all_columns()) {
            return Err(CaptureError::Uncapturable(why));
        }
        if self.server.is_postgres() && !request.live.is_lockable {
            return Err(CaptureError::Uncapturable("the role may not lock the rows"));
        }
        if let Some(why) = self.lacks_columns(request) {
            return Err(CaptureError::Uncapturable(why));
        }
        let is_point = has_all(&change.equalities, &key);
        let is_ordered = has_all(&change.ordered_by, &key);
        match change.volatility {
            Volatility::Volatile => Err(CaptureError::Uncapturable(VOLATILE)),
            Volatility::Unordered if !returns.has_keys() => {
                Err(CaptureError::Uncapturable(UNORDERED))
            }
            _ if change.tail.is_some() && !is_point && !is_ordered => {
                Err(CaptureError::Uncapturable(UNORDERED))
            }
            _ => Ok(()),
        }
    }

    /// Whether the table lacks columns that the entity has.
    pub(super) fn lacks_columns(&self, request: Request<'_>) -> Option<&'static str> {
        // On MySQL the catalogue is not queried; a failed read does no harm there.
        let lacks = !self.server.is_mysql() && request.live.lacks(&request.audited.all_columns());
        lacks.then_some("the table lacks columns that the entity has")
    }

    /// The number of rows a statement wrote, if the output has it.
    pub(super) async fn count_of(
        &self,
        request: Request<'_>,
        ran: &super::Ran<'_>,
    ) -> Result<Option<u64>, DbErr> {
        if self.server.is_mysql() && request.call.reads_rows() {
            return self.row_count().await.map(Some);
        }
        Ok(match (&ran.answer, &request.write.returning) {
            // It returns no rows, whatever it wrote.
            (ExecOutput::Rows(_), Returning::Nothing) => None,
            _ => Some(ran.count()),
        })
    }

    /// MySQL's count of the rows that the last statement wrote.
    pub(super) async fn row_count(&self) -> Result<u64, DbErr> {
        let backend = self.db.get_database_backend();
        let sql = "SELECT CAST(ROW_COUNT() AS SIGNED) AS number";
        let row = (self.db)
            .query_one_raw(sea_orm::Statement::from_string(backend, sql))
            .await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "number"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Records rows that an UPDATE has written, from the rows read before it and their current state.
    async fn record_changed(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        before: Vec<RowValues>,
        now: Vec<RowValues>,
        is_known: bool,
        was_written: bool,
    ) -> Result<(), DbErr> {
        let (info, audited) = (request.audited.info, request.audited);
        let sets_key = request.sets_key(&change.assigned);
        let same = match (before.as_slice(), now.as_slice()) {
            ([old], [new]) if sets_key => {
                let key = info.key_of(old);
                // Another row may have got the new key: then this one still has its own.
                let is_moved = key != info.key_of(new)
                    && self.others_may_differ(request, change)
                    && !(self
                        .rows_where(info, &info.key, &[key], self.lock_after())
                        .await?)
                        .is_empty();
                (!is_moved).then_some((old, new))
            }
            _ => None,
        };
        if let Some((old, new)) = same {
            self.record_updated(audited, self.source, &change.assigned, old.clone(), new)?;
            return self.flush_when_full().await;
        }
        let mut repeated = repeated_keys(info, &now);
        repeated.extend(repeated_keys(info, &before));
        self.report_same(&repeated);
        let mut before: HashMap<RowValues, RowValues> = (before.into_iter())
            .map(|row| (info.key_of(&row), row))
            .filter(|(key, _)| !repeated.contains(key))
            .collect();
        for new in &now {
            let key = info.key_of(new);
            if repeated.contains(&key) {
                continue;
            }
            let old = before.remove(&key);
            if let Some(old) = old {
                self.record_updated(audited, self.source, &change.assigned, old, new)?;
            } else {
                if sets_key {
                    self.gap(KEY_UNKNOWN, &[info.key_of(new)]);
                }
                self.record_updated_from_unknown(audited, &change.assigned, new)?;
            }
            self.flush_when_full().await?;
        }
        if is_known && !before.is_empty() {
            self.check_moved(request, change, before).await?;
            return Ok(());
        }
        // Returned rows are all that were written. Otherwise a trigger has moved or deleted a row that is no longer
        // found under its key.
        if !is_known && was_written && !before.is_empty() && !request.live.is_secured {
            let keys: Vec<RowValues> = before.into_keys().collect();
            self.gap(NOT_FOUND, &keys);
        } else if request.live.is_secured && !is_known && !before.is_empty() {
            let keys: Vec<RowValues> = before.into_keys().collect();
            self.gap(HIDDEN, &keys);
        }
        Ok(())
    }

    /// Reports rows that were read before an UPDATE, that it did not return and that no longer exist under their
    /// keys: a trigger, or a generated column, gave them other keys.
    async fn check_moved(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        before: HashMap<RowValues, RowValues>,
    ) -> Result<(), DbErr> {
        let info = request.audited.info;
        if request.sets_key(&change.assigned) || request.live.is_secured {
            return Ok(());
        }
        self.report_deleted(info, before.into_keys().collect())
            .await
    }

    /// Reports keys that several rows have.
    pub(super) fn report_same(&self, repeated: &HashSet<RowValues>) {
        if !repeated.is_empty() {
            let keys: Vec<RowValues> = repeated.iter().cloned().collect();
            self.gap(SAME_KEY, &keys);
        }
    }

    /// Reports those of these keys that no longer have a row.
    pub(super) async fn report_deleted(
        &self,
        info: &'static EntityInfo,
        keys: Vec<RowValues>,
    ) -> Result<(), DbErr> {
        let there = self
            .rows_where(info, &info.key, &keys, RowLock::None)
            .await?;
        let there: HashSet<RowValues> = there.iter().map(|row| info.key_of(row)).collect();
        let gone: Vec<RowValues> = (keys.into_iter())
            .filter(|key| !there.contains(key))
            .collect();
        if !gone.is_empty() {
            self.gap(NOT_FOUND, &gone);
        }
        Ok(())
    }
}

/// The keys that several of these rows have: a constraint that is checked at the end of the transaction, an inheriting
/// table, or a key without a unique index.
pub(super) fn repeated_keys(info: &EntityInfo, rows: &[RowValues]) -> HashSet<RowValues> {
    if rows.len() < 2 {
        return HashSet::new();
    }
    let mut seen = HashSet::with_capacity(rows.len());
    let keys = rows.iter().map(|row| info.key_of(row));
    keys.filter(|key| !seen.insert(key.clone())).collect()
}

/// The number of existing rows that have changed.
fn changed_rows(info: &EntityInfo, before: &[RowValues], now: &[RowValues]) -> u64 {
    let before: HashMap<RowValues, &RowValues> =
        (before.iter()).map(|row| (info.key_of(row), row)).collect();
    let changed = now.iter().filter(|new| {
        let old = before.get(&info.key_of(new));
        old.is_none_or(|old| !is_same(old, new))
    });
    changed.count() as u64
}

pub(super) fn is_same(old: &[Value], new: &[Value]) -> bool {
    old.iter().zip(new).all(|(old, new)| canonical_eq(old, new))
}

/// The new key of a row, if the statement names it.
fn moved_key(request: Request<'_>, change: &UpdateOrDelete, row: &[Value]) -> Option<RowValues> {
    let values = match &request.statement.values {
        Some(values) => values.0.as_slice(),
        None => &[],
    };
    let info = request.audited.info;
    (info.key.iter())
        .map(|at| {
            let name = info.columns[*at].name;
            let set =
                |column: &&String| is_name(column, name) || request.live.is_row_id_alias(column);
            match change.assigned.iter().filter(set).count() {
                0 => return row.get(*at).cloned(),
                1 => {}
                // The database decides which of them applies.
                _ => return None,
            }
            let (_, literal) = (change.literals.iter()).find(|(c, _)| is_name(c, name))?;
            let json = crate::value::encode(&literal.value(values)?).ok()?;
            // Decoded as the column's own type.
            crate::value::decode(&json, &info.columns[*at].shape).ok()
        })
        .collect()
}

/// Whether a list of columns has all of these.
pub(super) fn has_all(listed: &[String], columns: &[&str]) -> bool {
    columns
        .iter()
        .all(|column| listed.iter().any(|name| is_name(name, column)))
}
