//! What happened around an object: rows that refer to it, its transactions and requests, the labels of then.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, Set, TransactionSession, TransactionTrait,
};
use sea_orm_audit::query::{AuditHistory, Timeline, TimelineRelation};
use sea_orm_audit::{AuditContext, AuditEvent};

use crate::support::{TestDb, TestResult};

on_every_database! {
    rows_that_refer_or_referred_to_the_object_are_found,
    references_have_the_labels_of_then,
    records_of_the_same_transaction_and_request_are_found,
}

mod team {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "team")]
    #[audit(display = "{name}")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod member {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "member")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub team_id: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::team::Entity",
            from = "Column::TeamId",
            to = "super::team::Column::Id"
        )]
        Team,
    }
}

async fn tables(db: &TestDb) -> TestResult {
    db.create(team::Entity).await?;
    db.create(member::Entity).await?;
    for (id, name) in [(1, "Red"), (2, "Blue")] {
        let team = team::ActiveModel {
            id: Set(id),
            name: Set(name.to_owned()),
        };
        team.insert(&db.audited()).await?;
    }
    Ok(())
}

async fn member<C: ConnectionTrait>(db: &C, id: i32, team: Option<i32>) -> TestResult {
    let member = member::ActiveModel {
        id: Set(id),
        team_id: Set(team),
    };
    member.insert(db).await?;
    Ok(())
}

/// Each entry as its action, model, object and relation.
fn lines(timeline: &Timeline) -> Vec<String> {
    let line = |entry: &sea_orm_audit::query::TimelineEntry| {
        let record = &entry.record;
        let relation = match &entry.relation {
            TimelineRelation::Object => "object".to_owned(),
            TimelineRelation::Referring(columns) => columns.join(","),
            TimelineRelation::SameTransaction => "transaction".to_owned(),
            TimelineRelation::SameRequest => "request".to_owned(),
            other => format!("{other:?}"),
        };
        format!(
            "{} {} {}: {relation}",
            record.action,
            record.model.as_deref().unwrap_or_default(),
            record.object_id.as_deref().unwrap_or_default()
        )
    };
    timeline.entries.iter().map(line).collect()
}

async fn rows_that_refer_or_referred_to_the_object_are_found(db: &TestDb) -> TestResult {
    tables(db).await?;
    let audited = db.audited();
    member(&audited, 10, Some(1)).await?;
    member(&audited, 11, Some(1)).await?;
    member(&audited, 12, Some(2)).await?;
    member(&audited, 13, None).await?;
    // One moves away, one is deleted, one arrives.
    for sql in [
        "UPDATE member SET team_id = 2 WHERE id = 10",
        "DELETE FROM member WHERE id = 11",
        "UPDATE member SET team_id = 1 WHERE id = 13",
        "UPDATE team SET name = 'Crimson' WHERE id = 1",
    ] {
        audited.execute_unprepared(sql).await?;
    }
    let timeline = team::Entity::history(1).timeline(&audited).await?;
    assert!(timeline.complete);
    assert_eq!(
        lines(&timeline),
        [
            "CREATE team 1: object",
            "CREATE member 10: team_id",
            "CREATE member 11: team_id",
            "CREATE member 13: team_id",
            "UPDATE member 10: team_id",
            "DELETE member 11: team_id",
            "UPDATE member 13: team_id",
            "UPDATE team 1: object",
        ]
    );
    Ok(())
}

async fn references_have_the_labels_of_then(db: &TestDb) -> TestResult {
    tables(db).await?;
    let audited = db.audited();
    member(&audited, 10, Some(1)).await?;
    for sql in [
        "UPDATE team SET name = 'Crimson' WHERE id = 1",
        "UPDATE member SET team_id = 2 WHERE id = 10",
        "UPDATE member SET team_id = NULL WHERE id = 10",
        "DELETE FROM team WHERE id = 2",
    ] {
        audited.execute_unprepared(sql).await?;
    }
    let timeline = member::Entity::history(10).timeline(&audited).await?;
    let labels: Vec<Vec<(bool, &str, Option<&str>)>> = (timeline.entries.iter())
        .map(|entry| {
            (entry.references.iter())
                .map(|r| (r.is_new, r.object_id.as_str(), r.label.as_deref()))
                .collect()
        })
        .collect();
    assert_eq!(
        labels,
        [
            vec![(true, "1", Some("Red"))],
            vec![(false, "1", Some("Crimson")), (true, "2", Some("Blue"))],
            vec![(false, "2", Some("Blue"))],
        ]
    );
    Ok(())
}

async fn records_of_the_same_transaction_and_request_are_found(db: &TestDb) -> TestResult {
    tables(db).await?;
    let audited = db.audited();
    let tx = audited.begin().await?;
    member(&tx, 10, None).await?;
    member(&tx, 11, None).await?;
    tx.commit().await?;
    let request = AuditContext::new().request_id("r1");
    let work = async {
        let sql = "UPDATE member SET team_id = 2 WHERE id = 10";
        audited.execute_unprepared(sql).await?;
        AuditEvent::new("APPROVE".parse()?).record(&audited).await?;
        TestResult::Ok(())
    };
    Box::pin(request.scope(work)).await?;
    let timeline = member::Entity::history(10).timeline(&audited).await?;
    assert_eq!(
        lines(&timeline),
        [
            "CREATE member 10: object",
            "CREATE member 11: transaction",
            "UPDATE member 10: object",
            "APPROVE  : request",
        ]
    );
    Ok(())
}
