//! Syncs the tables from one edition to the next.
//!
//! The only code for the log is the [`AuditContext`]: rows are inserted, updated and deleted as in any other
//! application.

use std::collections::{HashMap, HashSet};

use indicatif::ProgressBar;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Iterable, ModelTrait,
    TransactionTrait,
};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::edition::{Edition, wholes_first};
use crate::entity::{country, language, subdivision};

/// Makes the tables equal to an edition, in one transaction: either all changes are written, with all their records,
/// or none.
pub async fn synchronise(
    db: &AuditedConnection,
    edition: Edition,
    progress: &ProgressBar,
) -> Result<(), DbErr> {
    AuditContext::new()
        .actor(Actor::service("iso-sync"))
        .reason(format!("edition {}", edition.name))
        .scope(write(db, edition, progress))
        .await
}

async fn write(
    db: &AuditedConnection,
    edition: Edition,
    progress: &ProgressBar,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let countries = country::Entity::find().all(&tx).await?;
    let subdivisions = wholes_first(subdivision::Entity::find().all(&tx).await?);
    let languages = language::Entity::find().all(&tx).await?;

    let mut countries = Differences::between(countries, edition.countries);
    let mut subdivisions = Differences::between(subdivisions, edition.subdivisions);
    let mut languages = Differences::between(languages, edition.languages);
    progress.set_length(countries.count() + subdivisions.count() + languages.count());

    countries.save(&tx, progress).await?;
    subdivisions.save(&tx, progress).await?;
    languages.save(&tx, progress).await?;
    // Rows that others refer to are deleted last.
    languages.delete(&tx, progress).await?;
    subdivisions.delete(&tx, progress).await?;
    countries.delete(&tx, progress).await?;
    tx.commit().await
}

/// The writes that turn one set of rows into another.
struct Differences<M: ModelTrait> {
    insert: Vec<ActiveModelOf<M>>,
    update: Vec<ActiveModelOf<M>>,
    delete: Vec<M>,
}

type ActiveModelOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::ActiveModel;

impl<M> Differences<M>
where
    M: ModelTrait + IntoActiveModel<ActiveModelOf<M>>,
    M::Entity: EntityTrait<Model = M>,
    ActiveModelOf<M>: Send,
{
    /// Matches rows by their key. The order of both sets is kept.
    fn between(old: Vec<M>, new: Vec<M>) -> Self {
        let keys: HashSet<_> = new.iter().map(M::get_primary_key_value).collect();
        let (kept, delete): (Vec<M>, Vec<M>) =
            (old.into_iter()).partition(|row| keys.contains(&row.get_primary_key_value()));
        let kept: HashMap<_, _> = (kept.into_iter())
            .map(|row| (row.get_primary_key_value(), row))
            .collect();

        let mut insert = Vec::new();
        let mut update = Vec::new();
        for row in new {
            match kept.get(&row.get_primary_key_value()) {
                Some(old) => update.extend(edit(old, &row)),
                None => insert.push(row.into_active_model().reset_all()),
            }
        }
        Self {
            insert,
            update,
            delete,
        }
    }

    fn count(&self) -> u64 {
        (self.insert.len() + self.update.len() + self.delete.len()) as u64
    }

    /// Inserts, then updates: an updated row may refer to a new one.
    async fn save<C: ConnectionTrait>(
        &mut self,
        db: &C,
        progress: &ProgressBar,
    ) -> Result<(), DbErr> {
        for row in self.insert.drain(..) {
            row.insert(db).await?;
            progress.inc(1);
        }
        for row in self.update.drain(..) {
            row.update(db).await?;
            progress.inc(1);
        }
        Ok(())
    }

    /// Deletes from the end: a row may refer to one before it.
    async fn delete<C: ConnectionTrait>(self, db: &C, progress: &ProgressBar) -> Result<(), DbErr> {
        for row in self.delete.into_iter().rev() {
            row.delete(db).await?;
            progress.inc(1);
        }
        Ok(())
    }
}

/// Sets the columns in which two rows with the same key differ, `None` when they do not.
fn edit<M>(old: &M, new: &M) -> Option<ActiveModelOf<M>>
where
    M: ModelTrait + IntoActiveModel<ActiveModelOf<M>>,
{
    let mut edit = old.clone().into_active_model();
    for column in <M::Entity as EntityTrait>::Column::iter() {
        if old.get(column) != new.get(column) {
            edit.set(column, new.get(column));
        }
    }
    edit.is_changed().then_some(edit)
}
