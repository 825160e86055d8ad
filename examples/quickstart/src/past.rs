//! Reads the past, and writes it back: history, blame, a query on an earlier edition, and the undo of the last one.

use std::error::Error;

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::entity::audit_log::{Column, Entity as AuditLog};
use sea_orm_audit::query::{AsOf, AuditHistory, Moment};
use sea_orm_audit::undo::{Undo, Undone};

use crate::edition::Edition;
use crate::entity::{country, language, subdivision};
use crate::report::title;

/// Prints the versions of one country, and who set each of its fields.
pub async fn history_and_blame(db: &AuditedConnection) -> Result<(), DbErr> {
    title("Versions of TUR, as models, and who set each field");
    for version in country::Entity::history("TUR").all(db).await? {
        let reason = version.record.reason.as_deref().unwrap_or_default();
        match version.model() {
            Some(country) => {
                let official = country.official_name.as_deref().unwrap_or_default();
                println!("{reason}: {} ({official})", country.name);
            }
            None => println!("{reason}: deleted"),
        }
    }
    for blame in country::Entity::history("TUR").blame(db).await? {
        let set = blame.record.and_then(|record| record.reason);
        println!("{:15}{}", blame.field, set.as_deref().unwrap_or("unknown"));
    }
    Ok(())
}

/// The transaction that synchronised an edition.
async fn transaction_of(db: &AuditedConnection, edition: &str) -> Result<Uuid, Box<dyn Error>> {
    let record = AuditLog::find()
        .filter(Column::Reason.eq(format!("edition {edition}")))
        .one(db)
        .await?;
    let transaction = record.and_then(|record| record.transaction_id);
    transaction.ok_or_else(|| format!("the log has no edition {edition}").into())
}

/// Joins two tables as they were after the first edition.
pub async fn counties_of_then(db: &AuditedConnection) -> Result<Vec<String>, Box<dyn Error>> {
    let first = Moment::after_transaction(transaction_of(db, "2018").await?);
    let past = AsOf::new(first).open(db).await?;
    let found = subdivision::Entity::find()
        .find_also_related(country::Entity)
        .filter(country::Column::Name.eq("Norway"))
        .order_by_asc(subdivision::Column::Code)
        .all(&past)
        .await;
    past.close().await?;
    let names = found?.into_iter().map(|(county, _)| county.name);
    Ok(names.collect())
}

/// Prints them beside today's.
pub async fn counties(db: &AuditedConnection) -> Result<(), Box<dyn Error>> {
    title("Norway's counties of edition 2018, by a join of past tables");
    println!("{}", counties_of_then(db).await?.join(", "));
    Ok(())
}

/// Takes all changes of an edition back.
pub async fn undo(db: &AuditedConnection, edition: &str) -> Result<Undone, Box<dyn Error>> {
    let undo = Undo::transaction(transaction_of(db, edition).await?);
    Ok(undo.apply(db).await?)
}

/// Whether the tables have exactly the rows of an edition.
pub async fn is_edition(
    db: &AuditedConnection,
    name: &'static str,
) -> Result<bool, Box<dyn Error>> {
    let edition = Edition::read(name)?;
    let mut countries = country::Entity::find().all(db).await?;
    let mut subdivisions = subdivision::Entity::find().all(db).await?;
    let mut languages = language::Entity::find().all(db).await?;
    let mut expected = (edition.countries, edition.subdivisions, edition.languages);
    countries.sort_by(|a, b| a.alpha_3.cmp(&b.alpha_3));
    expected.0.sort_by(|a, b| a.alpha_3.cmp(&b.alpha_3));
    subdivisions.sort_by(|a, b| a.code.cmp(&b.code));
    expected.1.sort_by(|a, b| a.code.cmp(&b.code));
    languages.sort_by(|a, b| a.alpha_3.cmp(&b.alpha_3));
    expected.2.sort_by(|a, b| a.alpha_3.cmp(&b.alpha_3));
    Ok((countries, subdivisions, languages) == expected)
}

/// Undoes the last edition, shows that the tables are those of the one before, and undoes the undo.
pub async fn undo_last_edition(db: &AuditedConnection) -> Result<(), Box<dyn Error>> {
    title("Undo of edition 2026");
    let undone = undo(db, "2026").await?;
    let is_before = is_edition(db, "2024").await?;
    println!(
        "{} rows written back; the tables {} those of edition 2024",
        undone.writes.len(),
        if is_before { "equal" } else { "differ from" }
    );
    let again = Undo::transaction(undone.transaction_id).apply(db).await?;
    let is_last = is_edition(db, "2026").await?;
    println!(
        "undo of the undo: {} rows; the tables {} those of edition 2026",
        again.writes.len(),
        if is_last { "equal" } else { "differ from" }
    );
    Ok(())
}
