//! Events that the database refuses, again and again.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use sea_orm_audit::event::EventWriter;

use crate::logged::Logged;
use crate::support::{TestDb, TestResult, refuse_rows};
use crate::{event, forget_events};

/// How many refusals the lines name.
fn refusals(lines: &[String]) -> TestResult<u64> {
    let counts = lines.iter().map(|line| {
        let (_, rest) = line
            .split_once("refused=")
            .ok_or("a line without a number")?;
        let digits = rest.chars().take_while(char::is_ascii_digit);
        Ok(digits.collect::<String>().parse::<u64>()?)
    });
    counts.sum()
}

/// A full disk refuses all waiting events, at every try.
#[allow(clippy::disallowed_methods)] // the limit of the log is a time
pub(crate) async fn refused_events_are_logged_once_a_second_with_their_number(
    db: &TestDb,
    log: &Logged,
) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "wait").await?;
    let text = "system events cannot be written";
    let before = log.lines(text).len();
    let (begun, mut rounds) = (Instant::now(), 0);
    let writer = EventWriter::builder(db.conn.clone())
        .retry_after(Duration::from_millis(10))
        .start();
    for number in 0..50 {
        assert!(writer.submit(event(format!("wait {number}"))));
    }
    while begun.elapsed() < Duration::from_millis(2_500) {
        writer.flush().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        rounds += 1;
    }
    let seconds = begun.elapsed().as_secs();
    let lines = log.lines(text).split_off(before);
    assert!(rounds > 3, "{rounds}");
    // One at the beginning, and one for each second.
    let most = usize::try_from(seconds)? + 1;
    assert!((2..=most).contains(&lines.len()), "{lines:#?}");
    assert!(refusals(&lines)? >= 50, "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.contains("error=")),
        "{lines:#?}"
    );
    db.execute_unprepared(&accept).await?;
    writer.shutdown().await;
    assert_eq!(db.events().await?.len(), 50);
    forget_events(db).await
}
