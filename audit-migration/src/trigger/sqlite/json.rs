//! JSON documents.

/// The number of levels that are surely read again: `serde_json` reads 128, and a document lies a
/// few levels deep in the log.
const LEVELS: usize = 120;

/// Twenty digits, as of a number that may be beyond a double's range.
const LONG: &str = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]\
     [0-9][0-9]";

/// As many digits as a number may have that SQLite compares as a double.
const INEXACT: &str =
    "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]";

/// Documents longer than this are compared as text.
const COMPARED: usize = 8192;

/// A document without needless space; NULL where the text is none, or one that `serde_json` would
/// refuse, and with it the whole record: numbers beyond a double, half surrogates, too many levels.
pub(super) fn document(v: &str) -> String {
    let atom = not_utf_8("atom");
    let key = not_utf_8("key");
    format!(
        "CASE WHEN json_valid({v}) THEN CASE \
         WHEN ({v} GLOB '*[0-9][eE]*' OR {v} GLOB '*{LONG}*') AND EXISTS (SELECT 1 FROM \
         json_tree({v}) WHERE typeof(atom) = 'real' AND atom IN (9e999, -9e999)) THEN NULL \
         WHEN ({v} GLOB '*\\u[dD]*' OR {v} GLOB '*\u{FFFD}*') AND EXISTS (SELECT 1 FROM \
         json_tree({v}) WHERE {atom} OR {key}) THEN NULL \
         WHEN length({v}) - length(replace(replace({v}, '[', ''), '{{', '')) > {LEVELS} \
         AND EXISTS (SELECT 1 FROM json_tree({v}) WHERE length(path) \
         - length(replace(replace(path, '[', ''), '.', '')) > {LEVELS}) THEN NULL \
         ELSE json({v}) END END"
    )
}

/// Whether a text is surely not UTF-8: SQLite's patterns take most malformed sequences for U+FFFD,
/// and U+FFFE and U+FFFF as well.
pub(super) fn not_utf_8(v: &str) -> String {
    format!(
        "({v} GLOB '*\u{FFFD}*' AND replace(replace(replace({v}, '\u{FFFD}', ''), \
         char(65534), ''), char(65535), '') GLOB '*\u{FFFD}*')"
    )
}

/// Whether two documents are equal regardless of the order of their keys. A duplicate key makes them different, as only
/// its position decides which one counts; so does a number of so many digits.
pub(super) fn same(a: &str, b: &str) -> String {
    let leaves = |doc: &str| format!("SELECT fullkey, type, atom FROM json_tree({doc})");
    let unique =
        |doc: &str| format!("(SELECT count(*) = count(DISTINCT fullkey) FROM json_tree({doc}))");
    let (a_leaves, b_leaves) = (leaves(a), leaves(b));
    let (a_unique, b_unique) = (unique(a), unique(b));
    format!(
        "CASE WHEN length({a}) <= {COMPARED} AND length({b}) <= {COMPARED} \
         AND json_valid({a}) AND json_valid({b}) THEN \
         NOT EXISTS ({a_leaves} EXCEPT {b_leaves}) AND NOT EXISTS ({b_leaves} EXCEPT {a_leaves}) \
         AND {a_unique} AND {b_unique} AND {a} NOT GLOB '*{INEXACT}*' AND {b} NOT GLOB '*{INEXACT}*' ELSE 0 END"
    )
}
