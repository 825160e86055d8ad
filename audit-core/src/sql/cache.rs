//! A cache of parsed statements, by text.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use sea_orm::DbBackend;

use super::insert_normalizer::shorten;
use super::{Kind, ParsedStatement, Rows, parse};

/// The capacity for text, in bytes.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// How many texts are expected.
const TEXTS: usize = 1024;

/// Added to the dialect of a text that replaces longer ones.
const SHORTENED: u8 = 4;

/// A text in the dialect of a backend.
#[derive(Hash, PartialEq, Eq)]
struct Key(u8, Box<str>);

#[derive(Hash)]
struct Lookup<'a>(u8, &'a str);

const fn dialect(backend: DbBackend) -> u8 {
    match backend {
        DbBackend::Postgres => 0,
        DbBackend::Sqlite => 1,
        _ => 2,
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

/// A parsed statement takes a few times as much memory as its text.
#[derive(Clone)]
struct ByLength;

impl Weighter<Key, Arc<ParsedStatement>> for ByLength {
    fn weight(&self, key: &Key, _: &Arc<ParsedStatement>) -> u64 {
        256 + 6 * key.1.len() as u64
    }
}

static CACHE: LazyLock<Cache<Key, Arc<ParsedStatement>, ByLength>> =
    LazyLock::new(|| Cache::with_weighter(TEXTS, CAPACITY, ByLength));

/// Parses a text, or returns the cached outcome.
pub(crate) fn understand(backend: DbBackend, sql: &str) -> Arc<ParsedStatement> {
    if is_plain_select(sql) {
        static READ: LazyLock<Arc<ParsedStatement>> =
            LazyLock::new(|| Arc::new(ParsedStatement::Read));
        return Arc::clone(&READ);
    }
    let short = shorten(backend, sql);
    let is_short = matches!(short, Cow::Owned(_));
    let sql = &*short;
    let dialect = dialect(backend) + if is_short { SHORTENED } else { 0 };
    if let Some(known) = CACHE.get(&Lookup(dialect, sql)) {
        return known;
    }
    let mut understood = parse::understand(backend, sql);
    if is_short
        && let ParsedStatement::Write(write) = &mut understood
        && let Kind::Insert(insert) = &mut write.kind
    {
        insert.rows = Rows::Omitted;
        write.placeholders = None;
    }
    let understood = Arc::new(understood);
    CACHE.insert(Key(dialect, sql.into()), Arc::clone(&understood));
    understood
}

/// Whether a text is one SELECT: in every database, only functions let one write.
fn is_plain_select(sql: &str) -> bool {
    let is_blank = |c: char| c.is_ascii_whitespace();
    let sql = sql.trim_start();
    let is_select = sql
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("select"));
    is_select
        && sql[6..].starts_with(is_blank)
        && !sql
            .trim_end_matches(|c: char| c == ';' || is_blank(c))
            .contains(';')
}
