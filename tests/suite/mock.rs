//! Hooks do nothing on `MockDatabase`, so that users' mock tests keep working.

use sea_orm::{ActiveModelTrait, DbBackend, MockDatabase, MockExecResult, Transaction};

use crate::entity::post;
use crate::support::TestResult;

#[tokio::test]
async fn mock_connection_sees_only_seaorms_own_statements() -> TestResult {
    let model = post::Model {
        id: 1,
        title: "a".into(),
        body: None,
        qty: 7,
    };
    let db = MockDatabase::new(DbBackend::Postgres)
        .append_query_results([[model.clone()], [model]])
        .append_exec_results([MockExecResult {
            last_insert_id: 0,
            rows_affected: 1,
        }])
        .into_connection();
    post::new("a").insert(&db).await?;
    post::retitle(1, "a").update(&db).await?;
    post::retitle(1, "a").delete(&db).await?;
    assert_eq!(
        db.into_transaction_log(),
        [
            Transaction::from_sql_and_values(
                DbBackend::Postgres,
                r#"INSERT INTO "post" ("title") VALUES ($1) RETURNING "id", "title", "body", "qty""#,
                ["a".into()],
            ),
            Transaction::from_sql_and_values(
                DbBackend::Postgres,
                r#"UPDATE "post" SET "title" = $1 WHERE "post"."id" = $2 RETURNING "id", "title", "body", "qty""#,
                ["a".into(), 1.into()],
            ),
            Transaction::from_sql_and_values(
                DbBackend::Postgres,
                r#"DELETE FROM "post" WHERE "post"."id" = $1"#,
                [1.into()],
            ),
        ]
    );
    Ok(())
}
