//! The check that keeps the benchmark valid: a path that records nothing is fast.

use std::fmt;

use crate::operation::Operation;
use crate::path::{Kind, Path};

/// A path wrote wrong audit rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongRows {
    path: Path,
    operation: Operation,
    kind: Kind,
    expected: u64,
    found: u64,
}

impl fmt::Display for WrongRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the path `{}` left the wrong number of audit rows for `{}` ({}): expected {}, found {}",
            self.path.name(),
            self.operation.name(),
            self.kind.name(),
            self.expected,
            self.found
        )
    }
}

impl std::error::Error for WrongRows {}

/// Checks the audit rows of this many operations of a path, counted before and after.
pub(crate) fn check(
    path: Path,
    operation: Operation,
    kind: Kind,
    times: usize,
    (before, after): (u64, u64),
) -> Result<(), WrongRows> {
    let expected = (operation.audit_rows(path) * times) as u64;
    let found = after.saturating_sub(before);
    if found == expected && after >= before {
        return Ok(());
    }
    Err(WrongRows {
        path,
        operation,
        kind,
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_twenty(path: Path, operation: Operation, counts: (u64, u64)) -> Result<(), WrongRows> {
        check(path, operation, Kind::Autocommit, 20, counts)
    }

    #[test]
    fn the_expected_rows_are_fine() {
        assert_eq!(of_twenty(Path::Hooks, Operation::Insert, (5, 25)), Ok(()));
        assert_eq!(of_twenty(Path::Bare, Operation::Insert, (5, 5)), Ok(()));
        let bulk = of_twenty(Path::Bulk, Operation::DeleteMany, (0, 20_000));
        assert_eq!(bulk, Ok(()));
    }

    #[test]
    fn missing_row_fails_and_says_where() {
        let error = of_twenty(Path::Hooks, Operation::Insert, (5, 24)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the path `hooks` left the wrong number of audit rows for `insert one` (autocommit): \
             expected 20, found 19"
        );
    }

    #[test]
    fn rows_too_many_fail() {
        assert!(of_twenty(Path::Skipped, Operation::Insert, (0, 1)).is_err());
        assert!(of_twenty(Path::Connection, Operation::UpdateNothing, (0, 20)).is_err());
        assert!(of_twenty(Path::Bare, Operation::Insert, (3, 2)).is_err());
    }
}
