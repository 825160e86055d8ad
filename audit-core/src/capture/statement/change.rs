//! UPDATE, DELETE and TRUNCATE.

use std::collections::HashMap;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::rows::{MOST_VALUES, Range, filter, is_in, within};
use super::{Answer, Audited, Call, Engine, Problem, Returned, Shape};
use crate::action::Source;
use crate::config::FailurePolicy;
use crate::error::{AuditError, Cause, ChangeState};
use crate::recorder::ends_transaction;
use crate::sql::{Change, Write, is_name};

type Image = Vec<Value>;

/// An UPDATE or DELETE and what it is of.
struct Of<'a> {
    call: Call,
    statement: &'a Statement,
    write: &'a Write,
    change: &'a Change,
    audited: &'a Audited,
}

/// What part of a statement is run.
#[derive(Clone, Copy)]
enum Part<'a> {
    Whole,
    /// The rows that were read, no others.
    Keys(&'a [Image]),
    Stretch(Range<'a>),
}

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn change(
        &self,
        call: Call,
        statement: Statement,
        write: &Write,
        change: &Change,
        audited: &Audited,
    ) -> Result<Answer, Problem> {
        let of = Of {
            call,
            statement: &statement,
            write,
            change,
            audited,
        };
        let key = audited.key_columns();
        let is_point = !key.is_empty()
            && key
                .iter()
                .all(|name| change.equalities.iter().any(|column| is_name(column, name)));
        let sets_key = audited.has_key_among(&change.assigned);
        if key.is_empty() {
            return Err(Problem::Uncapturable("its entity has no primary key"));
        }
        let most = self.config.chunk_rows();
        let refers_to_itself = change.delete && audited.info.access.refers_to_itself;
        let is_whole = is_point || change.unstable || change.joined || sets_key || refers_to_itself;
        let in_pieces = !is_whole && change.with.is_none();
        let too_many = || {
            if self.is_rewriting_allowed() {
                Ok(())
            } else {
                Err(Problem::Uncapturable(
                    "it writes too many rows to be held in memory",
                ))
            }
        };
        if change.delete && audited.followers.is_empty() && self.server.others_return() {
            // What it returns are the rows as they were; there is nothing to read before.
            if in_pieces && self.are_more(&of, most).await? {
                too_many()?;
                return Ok(self.in_pieces(&of, most).await?.answer(call)?);
            }
            return Ok(self
                .run_part(&of, Part::Whole, Vec::new())
                .await?
                .answer(call)?);
        }
        if is_point && !sets_key && self.goes_in_one(write, change) {
            let returned = self
                .update_in_one(call, &statement, write, change, audited)
                .await?;
            return Ok(returned.answer(call)?);
        }
        if change.unstable && !is_point && !self.is_rewriting_allowed() {
            return Err(Problem::Uncapturable(
                "it may write other rows the next time it is run",
            ));
        }
        if sets_key && !self.server.updates_return() {
            return Err(Problem::Uncapturable(
                "it changes the key of a row, which this database does not return",
            ));
        }
        let limit = in_pieces.then_some(most + 1);
        let images = self
            .before(&statement, write, change, audited, limit, None)
            .await?;
        if sets_key && images.len() > 1 {
            return Err(Problem::Uncapturable(
                "it changes the keys of several rows, which cannot be paired",
            ));
        }
        if in_pieces && images.len() as u64 > most {
            too_many()?;
            drop(images);
            return Ok(self.in_pieces(&of, most).await?.answer(call)?);
        }
        let keys: Vec<Image> = images.iter().map(|row| audited.info.key_of(row)).collect();
        let nameable = MOST_VALUES / audited.info.key.len();
        let in_an_array = self.server.is_postgres() && audited.info.key.len() == 1;
        if change.unstable && !is_point && !in_an_array && keys.len() > nameable {
            return Err(Problem::Uncapturable(
                "the rows that it writes are too many to be named",
            ));
        }
        let part = if change.unstable && !is_point {
            Part::Keys(&keys)
        } else {
            Part::Whole
        };
        Ok(self.run_part(&of, part, images).await?.answer(call)?)
    }

    /// Whether a statement is of more rows than this.
    async fn are_more(&self, of: &Of<'_>, most: u64) -> Result<bool, DbErr> {
        let mut sql = self.composer(of.statement);
        sql.text("SELECT CAST(COUNT(*) AS ")
            .text(if self.server.is_mysql() {
                "SIGNED"
            } else {
                "BIGINT"
            })
            .text(") AS sea_orm_audit_rows FROM (SELECT 1 AS one FROM ")
            .template(&of.change.from);
        filter(&mut sql, of.change, |_| {});
        sql.text(&format!(" LIMIT {}) AS sea_orm_audit_some", most + 1));
        let row = self.db.query_one_raw(sql.finish()).await?;
        let rows: i64 = row.map_or(Ok(0), |row| row.try_get("", "sea_orm_audit_rows"))?;
        Ok(rows.unsigned_abs() > most)
    }

    /// Runs a statement stretch by stretch along the key. A savepoint keeps it one statement: all of it
    /// is done, or nothing.
    async fn in_pieces(&self, of: &Of<'_>, most: u64) -> Result<Returned, DbErr> {
        const SAVEPOINT: &str = "sea_orm_audit_pieces";
        let doubt = self.frames.doubt(FailurePolicy::Fail);
        self.db
            .execute_unprepared(&format!("SAVEPOINT {SAVEPOINT}"))
            .await?;
        self.frames.begin_own();
        let done = self.stretches(of, most).await;
        if done.is_ok() {
            self.frames.merge_own();
            self.db
                .execute_unprepared(&format!("RELEASE SAVEPOINT {SAVEPOINT}"))
                .await?;
        } else {
            self.frames.discard_own();
            for end in ["ROLLBACK TO", "RELEASE"] {
                // The statement's own error tells more, and has perhaps ended the transaction.
                let _ = self
                    .db
                    .execute_unprepared(&format!("{end} SAVEPOINT {SAVEPOINT}"))
                    .await;
            }
        }
        doubt.settle();
        done
    }

    async fn stretches(&self, of: &Of<'_>, most: u64) -> Result<Returned, DbErr> {
        let mut all = Returned::default();
        let mut last: Option<Image> = None;
        loop {
            let range = Range {
                after: last.as_deref(),
                up_to: None,
            };
            let images = self
                .before(
                    of.statement,
                    of.write,
                    of.change,
                    of.audited,
                    Some(most),
                    Some(range),
                )
                .await?;
            let full = images.len() as u64 == most;
            let end = images
                .last()
                .map(|row| of.audited.info.key_of(row))
                .filter(|_| full);
            let range = Range {
                after: last.as_deref(),
                up_to: end.as_deref(),
            };
            let returned = self.run_part(of, Part::Stretch(range), images).await?;
            all.add(returned);
            match end {
                Some(end) => last = Some(end),
                None => return Ok(all),
            }
        }
    }

    /// Runs a part of a statement, and tells what became of the rows that were read before it.
    async fn run_part(
        &self,
        of: &Of<'_>,
        part: Part<'_>,
        images: Vec<Image>,
    ) -> Result<Returned, DbErr> {
        let (info, change) = (of.audited.info, of.change);
        let trail = if change.delete && !of.audited.followers.is_empty() {
            self.descendants(of.audited, &images).await?
        } else {
            Vec::new()
        };
        let statement = self.part_of(of, part);
        let returns = if change.delete {
            self.server.others_return()
        } else {
            self.server.updates_return()
        };
        let (returned, now, doubt) = if returns {
            let whole = matches!(part, Part::Whole);
            let qualified = change.joined && self.server.is_postgres();
            let shape = Shape {
                whole,
                qualified,
                meets: false,
            };
            self.run_returning(of.call, statement, of.write, of.audited, shape)
                .await?
        } else {
            let (answer, doubt) = self.run(of.call, statement).await?;
            let (count, rows) = match answer {
                Answer::Executed(result) => (Some(result.rows_affected()), Vec::new()),
                Answer::Rows(rows) => (None, rows),
            };
            let read = images.len() as u64;
            let now = if images.is_empty() || change.delete {
                Vec::new()
            } else {
                let keys: Vec<Image> = images.iter().map(|row| info.key_of(row)).collect();
                self.rows_where(info, &info.key, &keys, self.server.is_mysql())
                    .await?
            };
            let affected = count.unwrap_or(read);
            if affected > read && !change.joined {
                self.appeared(info.model(), affected - read)?;
            }
            let returned = Returned {
                met: Vec::new(),
                count: affected,
                rows,
                last_insert_id: 0,
            };
            (returned, now, doubt)
        };
        if change.delete {
            let gone = self.gone(of, returns, images, now).await?;
            if of.audited.records {
                for (row, source) in &gone {
                    self.tell_deleted(of.audited, *source, row)?;
                    self.flush_when_full().await?;
                }
            }
            self.tell_descendants(trail).await?;
        } else {
            self.tell_changed(of, images, now).await?;
        }
        doubt.settle();
        Ok(returned)
    }

    /// The rows that a DELETE took away, as they were before it.
    async fn gone(
        &self,
        of: &Of<'_>,
        returns: bool,
        images: Vec<Image>,
        returned: Vec<Image>,
    ) -> Result<Vec<(Image, Source)>, DbErr> {
        if !returns || images.is_empty() {
            // What was read and locked is gone; or nothing was read, and what is returned is exact.
            let rows = if returns { returned } else { images };
            return Ok(rows.into_iter().map(|row| (row, self.source)).collect());
        }
        // Rows of one DELETE may refer to each other. A row that went along with another, or forgot it,
        // before its own turn came is not returned, or not as it was.
        let info = of.audited.info;
        let mut returned: HashMap<Image, Image> = returned
            .into_iter()
            .map(|row| (info.key_of(&row), row))
            .collect();
        let (mut gone, mut others) = (Vec::new(), Vec::new());
        for row in images {
            match returned.remove(&info.key_of(&row)) {
                Some(_) => gone.push((row, self.source)),
                None => others.push(row),
            }
        }
        gone.extend(returned.into_values().map(|row| (row, self.source)));
        if !others.is_empty() {
            let keys: Vec<Image> = others.iter().map(|row| info.key_of(row)).collect();
            let left = self.by_key(info, &keys).await?;
            others.retain(|row| !left.contains_key(&info.key_of(row)));
            gone.extend(others.into_iter().map(|row| (row, Source::Cascade)));
        }
        Ok(gone)
    }

    async fn tell_changed(
        &self,
        of: &Of<'_>,
        images: Vec<Image>,
        now: Vec<Image>,
    ) -> Result<(), DbErr> {
        let info = of.audited.info;
        if let ([old], [new]) = (images.as_slice(), now.as_slice()) {
            // Also where the key is what changed.
            self.tell_updated(of.audited, self.source, old.clone(), new)?;
            return self.flush_when_full().await;
        }
        let mut images: HashMap<Image, Image> = images
            .into_iter()
            .map(|row| (info.key_of(&row), row))
            .collect();
        for new in &now {
            match images.remove(&info.key_of(new)) {
                Some(old) => self.tell_updated(of.audited, self.source, old, new)?,
                None => {
                    self.tell_updated_from_unknown(of.audited, &of.change.assigned, new)?;
                }
            }
            self.flush_when_full().await?;
        }
        Ok(())
    }

    /// Rows were written that nobody read.
    pub(super) fn appeared(&self, model: &str, rows: u64) -> Result<(), DbErr> {
        let cause = Cause::Appeared {
            model: model.to_owned(),
            rows,
        };
        self.frames
            .keep(self.config, self.db.get_database_backend(), Err(cause))
    }

    /// The text of a part.
    fn part_of(&self, of: &Of<'_>, part: Part<'_>) -> Statement {
        let (info, change, write) = (of.audited.info, of.change, of.write);
        if let Part::Whole = part {
            return of.statement.clone();
        }
        let backend = self.db.get_database_backend();
        let mut sql = self.composer(of.statement);
        if let Some(with) = &change.with {
            sql.template(with).text(" ");
        }
        sql.template(&change.head);
        match part {
            Part::Whole => {}
            Part::Stretch(range) => {
                filter(&mut sql, change, |sql| {
                    within(sql, backend, info, &write.qualifier, range);
                });
            }
            // The rows that were read are locked: they still satisfy the statement's own filter. Only
            // where other tables take part, it says which of their rows go with which.
            Part::Keys(keys) if change.joined => filter(&mut sql, change, |sql| {
                sql.text(" AND ");
                is_in(sql, backend, info, &write.qualifier, &info.key, keys);
            }),
            Part::Keys(keys) => {
                sql.text(" WHERE ");
                is_in(&mut sql, backend, info, &write.qualifier, &info.key, keys);
            }
        }
        if let Some(returning) = &write.returning_text {
            sql.text(" RETURNING ").template(returning);
        }
        sql.finish()
    }

    /// Tells of all rows of a table, then empties it.
    pub(super) async fn truncate(
        &self,
        statement: Statement,
        write: &Write,
        audited: &Audited,
    ) -> Result<Answer, Problem> {
        let backend = self.db.get_database_backend();
        // What TRUNCATE takes itself, before anything is read.
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", write.qualifier);
        self.db
            .execute_raw(Statement::from_string(backend, lock))
            .await?;
        let everything = Change::everything(&write.qualifier);
        let most = self.config.chunk_rows();
        let mut last: Option<Image> = None;
        loop {
            let range = Range {
                after: last.as_deref(),
                up_to: None,
            };
            let images = self
                .before(
                    &statement,
                    write,
                    &everything,
                    audited,
                    Some(most),
                    Some(range),
                )
                .await?;
            for row in &images {
                self.tell_deleted(audited, self.source, row)?;
                self.flush_when_full().await?;
            }
            match images.last() {
                Some(row) if images.len() as u64 == most => last = Some(audited.info.key_of(row)),
                _ => break,
            }
        }
        let (answer, doubt) = self.run(Call::Execute, statement).await?;
        doubt.settle();
        Ok(answer)
    }
}

/// Whether a failed record is given up.
pub(crate) fn is_given_up(policy: FailurePolicy, cause: &Cause) -> bool {
    policy == FailurePolicy::Isolate && !ends_transaction(cause)
}

/// The error of a change whose record failed inside a transaction.
pub(crate) fn roll_back(cause: Cause) -> AuditError {
    AuditError::NotRecorded {
        state: ChangeState::RollBack,
        cause,
    }
}
