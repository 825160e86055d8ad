//! Logouts.

use http::StatusCode;

use crate::people::{
    KEY, actions, attempts, backend, cookie, go_away_after, is_signed_in, router, status,
    with_cookie,
};
use crate::support::{Shop, TestResult, eventually};

/// How many logouts are recorded, each with its row.
async fn logouts(shop: &Shop) -> TestResult<usize> {
    // The rows first: their records exist by then.
    let (rows, log) = (attempts(shop).await?, shop.log().await?);
    let logouts = log.iter().filter(|record| record.action == "LOGOUT");
    let row_of = |id| rows.iter().find(|row| row.log_id == Some(id));
    let with_row =
        logouts.filter(|record| row_of(record.id).is_some_and(|row| row.status == "LOGOUT"));
    Ok(with_row.count())
}

#[tokio::test]
async fn logout_is_recorded_by_who_signed_out() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    let ann = cookie(&router).await?;
    assert!(is_signed_in(&router, &ann).await?);
    assert_eq!(logouts(&shop).await?, 0);
    let answer = status(&router, "/out/well", &ann).await?;
    assert_eq!(answer, StatusCode::NO_CONTENT);
    let log = shop.log().await?;
    let record = log.last().ok_or("no record")?;
    assert_eq!(record.action, "LOGOUT");
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert!(record.session_key.is_some() && record.request_id.is_some());
    let row = attempts(&shop).await?.pop().ok_or("no row")?;
    assert_eq!((row.log_id, &*row.status), (Some(record.id), "LOGOUT"));
    assert_eq!(row.actor_id.as_deref(), Some("7"));
    assert_eq!(row.request_id, record.request_id);
    Ok(())
}

#[tokio::test]
async fn the_data_key_is_the_one_that_axum_login_was_given() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), ["ours"; 2]);
    let ann = cookie(&router).await?;
    assert!(is_signed_in(&router, &ann).await?);
    assert_eq!(logouts(&shop).await?, 0);
    status(&router, "/out/well", &ann).await?;
    assert_eq!(logouts(&shop).await?, 1);
    Ok(())
}

#[tokio::test]
async fn foreign_data_key_detects_no_logout() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), ["ours", KEY]);
    let ann = cookie(&router).await?;
    for _ in 0..3 {
        assert!(is_signed_in(&router, &ann).await?);
    }
    assert_eq!(actions(&shop).await?, ["LOGIN"]);
    Ok(())
}

#[tokio::test]
async fn logout_is_recorded_though_the_handler_fails_or_panics_after_it() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    for (count, then) in ["/out/fails", "/out/panics"].into_iter().enumerate() {
        let ann = cookie(&router).await?;
        let answer = status(&router, then, &ann).await?;
        assert_eq!(answer, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!is_signed_in(&router, &ann).await?);
        let recorded = async || Ok((logouts(&shop).await? > count).then_some(()));
        eventually(recorded).await?;
    }
    let log = shop.log().await?;
    let logouts = log.iter().filter(|record| record.action == "LOGOUT");
    assert!(
        logouts
            .clone()
            .all(|record| record.actor_id.as_deref() == Some("7"))
    );
    assert_eq!(logouts.count(), 2);
    Ok(())
}

#[tokio::test]
async fn session_whose_change_is_not_saved_is_not_signed_out() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    let ann = cookie(&router).await?;
    status(&router, "/out/forgotten", &ann).await?;
    assert!(is_signed_in(&router, &ann).await?);
    assert_eq!(logouts(&shop).await?, 0);
    Ok(())
}

#[tokio::test]
async fn at_whichever_moment_a_client_goes_a_session_that_ended_has_its_logout() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    let (mut ended, mut stayed) = (0, 0);
    for moment in 0..60 {
        let ann = cookie(&router).await?;
        go_away_after(moment, &router, with_cookie("/out/well", &ann)?).await;
        if is_signed_in(&router, &ann).await? {
            stayed += 1;
            assert_eq!(logouts(&shop).await?, moment);
            status(&router, "/out/well", &ann).await?;
        } else {
            ended += 1;
        }
        let recorded = async || Ok((logouts(&shop).await? > moment).then_some(()));
        eventually(recorded).await?;
        assert_eq!(logouts(&shop).await?, moment + 1, "one for each session");
    }
    assert!(ended >= 5 && stayed >= 5, "{ended} ended, {stayed} stayed");
    Ok(())
}
