//! Names in any script are accepted, and text that a database cannot store is refused with the reason.

use reqwest::{Method, StatusCode};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use axum_shop::entity::user;

use crate::support::{PASSWORD, TestResult, TestShop};

on_every_database!(
    names_in_any_script_are_stored_and_recorded,
    names_that_differ_by_an_accent_or_an_emoji_are_two_accounts,
    text_with_nul_is_refused,
);

/// On MariaDB in a database whose default character set is latin1.
async fn names_in_any_script_are_stored_and_recorded(shop: &TestShop) -> TestResult {
    for name in ["Zażółć Gęślą-Jaźń", "Ελένη", "陳大文", "Zoë 🦀"] {
        let client = shop.signed_in(name).await?;
        let seen = client.get("/products/1").await?;
        let record = shop.record_of(seen.expect(StatusCode::OK)).await?;
        assert_eq!(record.actor_name.as_deref(), Some(name));

        let stored = user::Entity::find().filter(user::Column::Name.eq(name));
        let stored = stored.one(&shop.db).await?.ok_or("no such user")?;
        let log = shop.log().await?;
        let created = log.iter().find(|record| {
            record.action == "CREATE" && record.object_id == Some(stored.id.to_string())
        });
        let changes = created.and_then(|record| record.changes.as_ref());
        let changes = changes.ok_or("the sign-up is not recorded")?;
        assert_eq!(changes["name"]["new"], name);
    }
    Ok(())
}

/// Many collations of MariaDB and MySQL treat these as equal.
async fn names_that_differ_by_an_accent_or_an_emoji_are_two_accounts(
    shop: &TestShop,
) -> TestResult {
    for names in [["Zoe", "Zoë"], ["Ann 🦀", "Ann 🐙"]] {
        for name in names {
            let client = shop.signed_in(name).await?;
            let seen = client.get("/products/1").await?;
            let record = shop.record_of(seen.expect(StatusCode::OK)).await?;
            assert_eq!(record.actor_name.as_deref(), Some(name));
        }
    }
    let names = user::Entity::find().all(&shop.db).await?;
    assert_eq!(names.len(), 1 + 4, "{names:?}");
    Ok(())
}

async fn text_with_nul_is_refused(shop: &TestShop) -> TestResult {
    let admin = shop.signed_in("admin").await?;
    let signup = json!({ "name": "Ann\u{0}", "password": PASSWORD });
    let product = json!({ "name": "Tea\u{0}", "price": "1.00", "stock": 1 });
    let requests = [
        (Method::POST, "/signup", Some(signup)),
        (Method::POST, "/products", Some(product)),
        (
            Method::PATCH,
            "/products/1",
            Some(json!({ "name": "\u{0}" })),
        ),
        (Method::GET, "/audit/user/1%00", None),
        (Method::GET, "/audit/us%00er/1", None),
    ];
    for (method, path, body) in requests {
        let answer = admin.send(method, path, body.as_ref(), &[]).await?;
        answer.expect(StatusCode::BAD_REQUEST);
    }
    // Text that is only recorded, and not stored by the shop, is no reason to refuse a request.
    let reason = json!({ "stock": 7, "reason": "counted\u{0}again" });
    let edited = admin.patch("/products/1", &reason).await?;
    let record = shop.record_of(edited.expect(StatusCode::OK)).await?;
    assert_eq!(record.reason.as_deref(), Some("counted\u{2400}again"));
    Ok(())
}
