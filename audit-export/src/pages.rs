//! The pages of the log that an export reads.

use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_audit_core::{AuditQuery, Cursor, Page, PageQuery};

/// The pages of an export.
pub(crate) struct Pages {
    query: PageQuery,
    next: Next,
    /// How many more records the limit admits.
    left: Option<u64>,
    size: u64,
    is_cut_off: bool,
}

enum Next {
    First,
    At(Cursor),
    End,
}

/// The largest page, and the bytes that it should have in memory, about.
const PAGE_ROWS: u64 = 1_000;
const PAGE_BYTES: usize = 2 << 20;

impl Pages {
    pub(crate) fn new(query: &AuditQuery, limit: Option<u64>) -> Self {
        Self {
            query: query.clone().pages(),
            next: Next::First,
            left: limit,
            size: 250,
            is_cut_off: false,
        }
    }

    /// Records are as large as the last ones, about.
    pub(crate) fn adapt(&mut self, page: &Page) {
        if let Some(each) = weight(page).checked_div(page.records.len()) {
            let fit = PAGE_BYTES / each.max(1);
            self.size = (fit as u64).clamp(1, PAGE_ROWS);
        }
    }

    /// Whether the limit left records out, as far as that is known.
    pub(crate) const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// The next page; `None` after the last one.
    pub(crate) async fn next<C: ConnectionTrait>(&mut self, db: &C) -> Result<Option<Page>, DbErr> {
        let size = self.left.map_or(self.size, |left| left.min(self.size));
        // A limit of nothing: one record shows that there are others.
        let pages = self.query.clone().size(size.max(1));
        let page = match &self.next {
            Next::First => pages.first(db).await?,
            Next::At(cursor) => pages.at(db, cursor).await?,
            Next::End => return Ok(None),
        };
        self.next = page.older.map_or(Next::End, Next::At);
        if self.left == Some(0) {
            // Whether there are others is not known where the page used up its budget.
            self.is_cut_off = page.found() > 0 || page.older.is_some();
            self.next = Next::End;
            return Ok(None);
        }
        self.left = self
            .left
            .map(|left| left.saturating_sub(page.found() as u64));
        Ok(Some(page))
    }
}

/// About how many bytes the records of a page have in memory: JSON as a tree is larger than its text.
fn weight(page: &Page) -> usize {
    const RECORD: usize = 1_000;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let json = |json: &Option<Json>| json.as_ref().map_or(0, tree_weight);
    let records = page.records.iter();
    records
        .map(|record| {
            let long = text(&record.user_agent) + text(&record.reason);
            RECORD + long + json(&record.changes) + json(&record.metadata)
        })
        .sum()
}

fn tree_weight(json: &Json) -> usize {
    let inner = match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(tree_weight).sum(),
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| 64 + key.len() + tree_weight(value))
            .sum(),
        _ => 0,
    };
    size_of::<Json>() + inner
}
