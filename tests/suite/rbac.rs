//! SeaORM's `RestrictedConnection`, which refuses raw SQL texts.

use sea_orm::rbac::schema::RbacCreateTablesParams;
use sea_orm::rbac::{RbacContext, RbacUserId};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, PaginatorTrait, TransactionTrait};
use sea_orm_audit::error::ChangeState;
use sea_orm_audit::{Action, AuditError, AuditEvent};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    writes_of_a_restricted_role_are_recorded,
    write_of_a_role_that_may_not_record_says_what_is_not_known,
}

const RECORDS: RbacUserId = RbacUserId(1);
const RECORDS_NOT: RbacUserId = RbacUserId(2);

/// Two roles that may write posts, of which one may add records.
async fn roles(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    sea_orm::rbac::schema::create_tables(&db.conn, RbacCreateTablesParams::default()).await?;
    let mut rbac = RbacContext::load(&db.conn).await?;
    rbac.add_tables(&db.conn, &["post", "audit_log", "*"])
        .await?;
    rbac.add_crud_permissions(&db.conn).await?;
    rbac.add_roles(&db.conn, &["writer", "scribbler"]).await?;
    rbac.assign_user_role(&db.conn, &[(1, "writer"), (2, "scribbler")])
        .await?;
    for role in ["writer", "scribbler"] {
        let all = ["select", "insert", "update", "delete"];
        rbac.add_role_permissions(&db.conn, role, &all, &["post"])
            .await?;
    }
    rbac.add_role_permissions(&db.conn, "writer", &["insert"], &["audit_log"])
        .await?;
    db.conn.load_rbac().await?;
    Ok(())
}

async fn writes_of_a_restricted_role_are_recorded(db: &TestDb) -> TestResult {
    roles(db).await?;
    let restricted = db.conn.restricted_for(RECORDS)?;
    post::new("a").insert(&restricted).await?;
    post::retitle(1, "b").update(&restricted).await?;
    let tx = restricted.begin().await?;
    post::new("c").insert(&tx).await?;
    post::retitle(2, "d").update(&tx).await?;
    post::Entity::find_by_id(1)
        .one(&tx)
        .await?
        .ok_or("no post")
        .map(sea_orm::IntoActiveModel::into_active_model)?
        .delete(&tx)
        .await?;
    tx.commit().await?;
    AuditEvent::new(Action::custom("APPROVE")?)
        .target_named("post", "2")
        .record(&restricted)
        .await?;
    let records = db.records().await?;
    let actions: Vec<_> = (records.iter())
        .map(|record| record.action.as_str())
        .collect();
    assert_eq!(
        actions,
        ["CREATE", "UPDATE", "CREATE", "UPDATE", "DELETE", "APPROVE"]
    );
    Ok(())
}

/// It may be committed, or not.
async fn write_of_a_role_that_may_not_record_says_what_is_not_known(db: &TestDb) -> TestResult {
    roles(db).await?;
    let restricted = db.conn.restricted_for(RECORDS_NOT)?;
    let error = post::new("a").insert(&restricted).await.unwrap_err();
    let state = |error: &DbErr| match AuditError::of(error) {
        Some(AuditError::NotRecorded { state, .. }) => Some(*state),
        _ => None,
    };
    assert_eq!(state(&error), Some(ChangeState::Unknown), "{error}");
    assert_eq!(post::Entity::find().count(&db.conn).await?, 1);
    let tx = restricted.begin().await?;
    let error = post::new("b").insert(&tx).await.unwrap_err();
    assert_eq!(state(&error), Some(ChangeState::Unknown), "{error}");
    tx.rollback().await?;
    assert_eq!(post::Entity::find().count(&db.conn).await?, 1);
    Ok(())
}
