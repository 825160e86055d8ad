//! Pages, cursors and counts.

use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm_audit::entity::audit_log::{self, Model};
use sea_orm_audit::query::{AuditLogSelect, AuditQuery, Cursor, Page, PageQuery};
use sea_orm_audit::{AuditConfig, AuditError};

use crate::expected::finds;
use crate::random::{Random, query, record, start};
use crate::support::{TestDb, TestResult};

on_every_database! {
    pages_have_the_records_that_match,
    page_with_a_small_budget_says_that_it_is_not_complete,
    record_added_later_is_found_from_the_tail,
    record_that_commits_late_is_found_in_its_period,
    cursor_of_another_query_is_refused,
    empty_log_has_an_empty_page,
}

/// Records of 40 days, with gaps between their numbers.
async fn fill(db: &TestDb, random: &mut Random) -> TestResult<Vec<Model>> {
    for chunk in 0..4 {
        let records = (0..100).map(|n| random.sample(&record((chunk * 100 + n) * 12 / 5)));
        audit_log::Entity::insert_many(records)
            .exec(&db.conn)
            .await?;
    }
    let ids: Vec<i64> = (audit_log::Entity::find()
        .select_only()
        .column(audit_log::Column::Id))
    .into_tuple()
    .all(&db.conn)
    .await?;
    let gaps = ids
        .into_iter()
        .filter(|id| id % 7 == 3 || (100..150).contains(id));
    audit_log::Entity::delete_many()
        .filter(sea_orm::ColumnTrait::is_in(&audit_log::Column::Id, gaps))
        .exec(&db.conn)
        .await?;
    all(db).await
}

async fn all(db: &TestDb) -> TestResult<Vec<Model>> {
    let records = audit_log::Entity::find().order_by_desc(audit_log::Column::Id);
    Ok(records.all(&db.conn).await?)
}

fn ids<'a>(records: impl IntoIterator<Item = &'a Model>) -> Vec<i64> {
    records.into_iter().map(|record| record.id).collect()
}

/// All pages from the first on; and from the last back to the first.
async fn walk(db: &TestDb, pages: &PageQuery, size: usize) -> TestResult<(Vec<i64>, Vec<i64>)> {
    let mut page = pages.first(&db.conn).await?;
    assert!(page.newer.is_none());
    let mut forth = Vec::new();
    let mut steps = 0;
    let last = loop {
        check(&page, size);
        forth.extend(ids(&page.records));
        let Some(older) = page.older else { break page };
        // The cursor is text in between, as in a URL.
        page = pages.at(&db.conn, &older.to_string().parse()?).await?;
        steps += 1;
        assert!(steps < 2_000, "the pages do not end");
    };
    let mut back = ids(&last.records);
    let mut newer = last.newer;
    while let Some(cursor) = newer {
        let page = pages.at(&db.conn, &cursor).await?;
        check(&page, size);
        back.splice(0..0, ids(&page.records));
        newer = page.newer;
        steps += 1;
        assert!(steps < 4_000, "the pages do not end");
    }
    Ok((forth, back))
}

fn check(page: &Page, size: usize) {
    assert!(page.found() <= size);
    assert!(page.records.is_sorted_by(|a, b| a.id > b.id));
    assert!(page.complete || page.found() < size);
}

async fn pages_have_the_records_that_match(db: &TestDb) -> TestResult {
    let mut random = Random::new();
    let records = fill(db, &mut random).await?;
    let now = start() + chrono::TimeDelta::days(45);
    let config = AuditConfig::builder().clock(move || now).build()?;
    let mut matching = 0;
    for round in 0..150 {
        let query = random.sample(&query());
        let expected = ids(records.iter().filter(|record| finds(&query, record, now)));
        matching += usize::from(!expected.is_empty() && expected.len() < records.len());
        let (size, budget) = [(50, 200_000), (3, 200_000), (5, 60), (1_000, 21), (7, 9)][round % 5];
        let pages = query.clone().pages().size(size).budget(budget);
        let compared = async {
            let (forth, back) = walk(db, &pages, usize::try_from(size)?).await?;
            assert_eq!(forth, expected, "{query}");
            assert_eq!(back, expected, "back: {query}");
            assert_eq!(
                query.count(&db.conn).await?,
                expected.len() as u64,
                "{query}"
            );
            let estimate = query.estimate(&db.conn).await?;
            assert_eq!(
                (estimate.count, estimate.is_exact),
                (expected.len() as u64, true),
                "{query}"
            );
            if let Ok(select) = audit_log::Entity::find().matching(&query, db.backend()) {
                let found = select
                    .order_by_desc(audit_log::Column::Id)
                    .all(&db.conn)
                    .await?;
                assert_eq!(ids(&found), expected, "select: {query}");
            } else {
                assert!(query.to_string().contains("::"), "{query}");
            }
            TestResult::Ok(())
        };
        config.scope(compared).await?;
    }
    // Else the comparison says little.
    assert!(matching > 75, "{matching}");
    Ok(())
}

async fn page_with_a_small_budget_says_that_it_is_not_complete(db: &TestDb) -> TestResult {
    let records = fill(db, &mut Random::new()).await?;
    let oldest = records.last().ok_or("no records")?;
    let query = AuditQuery::new().text("no such text");
    let page = query.clone().pages().budget(100).first(&db.conn).await?;
    assert_eq!(
        (page.found(), page.examined, page.complete),
        (0, 100, false)
    );
    let whole = query.pages().first(&db.conn).await?;
    assert_eq!(
        (whole.examined, whole.complete),
        (records.len() as u64, true)
    );
    assert!(whole.older.is_none() && oldest.id > 0);
    Ok(())
}

async fn record_added_later_is_found_from_the_tail(db: &TestDb) -> TestResult {
    let mut random = Random::new();
    for query in [
        AuditQuery::new(),
        AuditQuery::new().not(AuditQuery::new().actor("none")),
    ] {
        let pages = query.pages().size(2);
        let mut tail = pages.first(&db.conn).await?.tail;
        for _ in 0..3 {
            let empty = pages.at(&db.conn, &tail).await?;
            assert_eq!(empty.found(), 0);
            let added = random.sample(&record(1));
            let added = audit_log::Entity::insert(added)
                .exec(&db.conn)
                .await?
                .last_insert_id;
            let page = pages.at(&db.conn, &empty.tail).await?;
            assert_eq!(ids(&page.records), [added]);
            tail = page.tail;
        }
    }
    Ok(())
}

/// The numbers of a record's neighbours are of times up to a day before or after its own.
async fn record_that_commits_late_is_found_in_its_period(db: &TestDb) -> TestResult {
    let mut random = Random::new();
    let hours = chrono::TimeDelta::hours;
    let mut times: Vec<_> = (0..2_000).map(|n| start() + hours(n)).collect();
    // Written 20 hours after its statement.
    times.insert(521, start() + hours(500));
    let records = times.into_iter().map(|time| {
        let mut record = random.sample(&record(0));
        record.occurred_at = sea_orm::Set(time);
        record
    });
    for chunk in records.collect::<Vec<_>>().chunks(200) {
        audit_log::Entity::insert_many(chunk.to_vec())
            .exec(&db.conn)
            .await?;
    }
    let query = AuditQuery::new()
        .since(start() + hours(499))
        .until(start() + hours(501));
    let page = query.clone().pages().first(&db.conn).await?;
    assert_eq!(page.found(), 3);
    assert!(page.examined < 1_000, "{}", page.examined);
    assert_eq!(query.count(&db.conn).await?, 3);
    Ok(())
}

async fn cursor_of_another_query_is_refused(db: &TestDb) -> TestResult {
    let cursor = AuditQuery::new()
        .actor("1")
        .pages()
        .first(&db.conn)
        .await?
        .tail;
    let error = AuditQuery::new()
        .actor("2")
        .pages()
        .at(&db.conn, &cursor)
        .await
        .unwrap_err();
    assert!(
        matches!(AuditError::of(&error), Some(AuditError::Cursor { .. })),
        "{error}"
    );
    assert!("00".parse::<Cursor>().is_err());
    Ok(())
}

async fn empty_log_has_an_empty_page(db: &TestDb) -> TestResult {
    let query: AuditQuery = "created:7d model:order ip:2001:db8::/32".parse()?;
    let page = query.clone().pages().first(&db.conn).await?;
    assert_eq!((page.found(), page.examined, page.complete), (0, 0, true));
    assert!(page.older.is_none() && page.newer.is_none());
    assert_eq!(query.count(&db.conn).await?, 0);
    assert!(query.estimate(&db.conn).await?.is_exact);
    Ok(())
}
