//! Classifies texts that the parser does not know by their words: those that cannot write are reads.

use sea_orm::DbBackend;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::tokens::{is_among, is_meaningful, starts_with, word_of};
use super::{ParsedStatement, Text};

/// First words of statements that write no rows, whatever follows.
const POSTGRES_READS: &[&str] = &[
    "CHECKPOINT",
    "CLOSE",
    "DEALLOCATE",
    "DECLARE",
    "DISCARD",
    "FETCH",
    "LISTEN",
    "LOAD",
    "MOVE",
    "NOTIFY",
    "RESET",
    "SET",
    "SHOW",
    "TABLE",
    "UNLISTEN",
];

const MYSQL_READS: &[&str] = &[
    "CHECKSUM",
    "DEALLOCATE",
    "DESC",
    "DESCRIBE",
    "HANDLER",
    "HELP",
    "SET",
    "SHOW",
    "TABLE",
    "USE",
];

/// Maintenance statements of SQLite, also with types that the parser does not know, such as `real(?, ?)`.
const SQLITE_UPKEEP: &[Keyword] = &[
    Keyword::PRAGMA,
    Keyword::DETACH,
    Keyword::REINDEX,
    Keyword::CREATE,
    Keyword::ALTER,
    Keyword::DROP,
];

impl Text {
    /// What a text that could not be parsed does.
    pub(super) fn unparsed(&self) -> ParsedStatement {
        if !self.is_one_statement() {
            return self.opaque("it could not be parsed");
        }
        let upkeep = self.backend == DbBackend::Sqlite
            && SQLITE_UPKEEP
                .iter()
                .any(|word| starts_with(&self.tokens, *word));
        if upkeep {
            return ParsedStatement::DdlOrTransaction;
        }
        if self.cannot_write() || self.reads_in_search_order() {
            return ParsedStatement::Read;
        }
        self.opaque("it could not be parsed")
    }

    fn is_one_statement(&self) -> bool {
        let parts = self.tokens.split(|token| *token == Token::SemiColon);
        parts.filter(|part| part.iter().any(is_meaningful)).count() == 1
    }

    /// Whether the first word belongs to a statement that writes no rows.
    fn cannot_write(&self) -> bool {
        let mut words = self
            .tokens
            .iter()
            .filter(|token| is_meaningful(token))
            .map(word_of);
        let first = words.next().flatten().unwrap_or_default();
        let second = words.next().flatten().unwrap_or_default();
        match self.backend {
            DbBackend::Postgres => is_among(first, POSTGRES_READS),
            DbBackend::MySql => {
                // SET STATEMENT runs the statement that follows, as DESCRIBE ANALYZE does; the others write and commit.
                let runs = ["ANALYZE", "STATEMENT", "PASSWORD", "DEFAULT"];
                is_among(first, MYSQL_READS) && !is_among(second, &runs)
            }
            _ => false,
        }
    }

    /// Whether it is a recursive query with search or cycle clauses, which the parser does not know.
    fn reads_in_search_order(&self) -> bool {
        if self.backend == DbBackend::Sqlite || !starts_with(&self.tokens, Keyword::WITH) {
            return false;
        }
        let Some(tokens) = without_search_clauses(&self.tokens) else {
            return false;
        };
        match self.parse(tokens).as_deref() {
            Some([only]) => matches!(self.one(only), ParsedStatement::Read),
            _ => false,
        }
    }
}

/// The tokens without `SEARCH .. SET ..`, `CYCLE .. USING ..` and `CYCLE .. RESTRICT` after a parenthesis; `None` if
/// there are none.
fn without_search_clauses(tokens: &[Token]) -> Option<Vec<Token>> {
    let meaningful: Vec<&Token> = tokens.iter().filter(|token| is_meaningful(token)).collect();
    let is = |at: usize, words: &[&str]| {
        meaningful
            .get(at)
            .and_then(|token| word_of(token))
            .is_some_and(|word| is_among(word, words))
    };
    let mut kept = Vec::new();
    // Whether a clause may begin here: after the query, or after another clause.
    let (mut at, mut may_begin, mut found) = (0, false, false);
    while at < meaningful.len() {
        let is_search = is(at, &["SEARCH"]) && is(at + 1, &["DEPTH", "BREADTH"]);
        if may_begin && (is_search || is(at, &["CYCLE"])) {
            let last = |word: &str| (at..meaningful.len()).find(|at| is(*at, &[word]));
            // The column after the last word belongs to the clause.
            let end = if is_search {
                last("SET").map(|end| end + 2)
            } else {
                match (last("USING"), last("RESTRICT")) {
                    (using, Some(end)) if using.is_none_or(|using| end < using) => Some(end + 1),
                    (using, _) => using.map(|end| end + 2),
                }
            };
            (at, found) = (end?, true);
            continue;
        }
        may_begin = *meaningful[at] == Token::RParen;
        kept.push(meaningful[at].clone());
        at += 1;
    }
    found.then_some(kept)
}
