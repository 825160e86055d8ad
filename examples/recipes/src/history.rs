use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_audit::query::{AuditHistory, FieldState, RecordedHistory, RecordedPast};

use crate::product;

/// A line for each version of a product: when, who, and which fields changed.
pub async fn versions(db: &impl ConnectionTrait, id: i32) -> Result<Vec<String>, DbErr> {
    let versions = product::Entity::history(id).all(db).await?;
    let lines = versions.iter().map(|version| {
        let actor = version.record.actor_name.as_deref().unwrap_or("unknown");
        let fields: Vec<&str> = version.changes.iter().map(|(field, _)| field).collect();
        format!(
            "{}: {actor} set {}",
            version.record.occurred_at,
            fields.join(", ")
        )
    });
    Ok(lines.collect())
}

/// Who set the price last.
pub async fn price_setter(db: &impl ConnectionTrait, id: i32) -> Result<Option<String>, DbErr> {
    let blame = product::Entity::history(id).blame(db).await?;
    let price = blame.into_iter().find(|blame| blame.field == "price");
    Ok(price.and_then(|price| price.record?.actor_name))
}

/// What happened around a product: its own changes, those of rows that refer to it, and those made along with them.
pub async fn around(db: &impl ConnectionTrait, id: i32) -> Result<Vec<String>, DbErr> {
    let timeline = product::Entity::history(id).timeline(db).await?;
    let lines = timeline.entries.iter().map(|entry| {
        let label = entry.record.object_repr.as_deref().unwrap_or_default();
        let references = entry.references.iter().map(|reference| {
            let then = reference.label.as_deref().unwrap_or(&reference.object_id);
            format!(" {} {then}", reference.field)
        });
        let references: String = references.collect();
        format!("{} {label}{references}", entry.record.action)
    });
    Ok(lines.collect())
}

/// A field of any object as it was, in a tool that does not have its entity.
pub async fn field_then(
    db: &impl ConnectionTrait,
    model: &str,
    id: &str,
    field: &str,
    time: DateTimeUtc,
) -> Result<Option<FieldState>, DbErr> {
    let past = RecordedHistory::of(model, id).as_of(time, db).await?;
    Ok(match past {
        RecordedPast::Present { state, .. } => state.get(field).cloned(),
        _ => None, // absent, or not known
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::test::TestDatabase;
    use sea_orm_audit::{Actor, AuditContext};

    use super::*;
    use crate::service;

    #[tokio::test]
    async fn history_is_in_order() -> Result<(), DbErr> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let by = |name: &str| AuditContext::new().actor(Actor::user(name).named(name));
        let new = product::new("Tea", 300);
        let tea = by("Ann").scope(new.insert(&*db)).await?;
        by("Ben")
            .scope(service::rename(&*db, tea, "Green tea"))
            .await?;
        let lines = versions(&*db, 1).await?;
        let ends = ["Ann set id, name, price, supplier_terms", "Ben set name"];
        assert_eq!(lines.len(), ends.len());
        for (line, end) in lines.iter().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
        assert_eq!(price_setter(&*db, 1).await?.as_deref(), Some("Ann"));
        assert_eq!(
            around(&*db, 1).await?,
            ["CREATE Tea (#1)", "UPDATE Green tea (#1)"]
        );
        let now = DateTimeUtc::MAX_UTC;
        let name = field_then(&*db, "product", "1", "name", now).await?;
        assert_eq!(name, Some(FieldState::Known("Green tea".into())));
        let before = DateTimeUtc::UNIX_EPOCH;
        assert!(
            field_then(&*db, "product", "1", "name", before)
                .await?
                .is_none()
        );
        Ok(())
    }
}
