//! How databases compare names.

/// How a database compares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::coverage) enum Names {
    /// As they are written.
    Exact,
    /// Columns in any case, tables as they are written: MySQL where files are.
    ExactTables,
    /// In any case.
    AnyCase,
    /// In any case of ASCII's letters: SQLite.
    AnyAsciiCase,
}

impl Names {
    pub(in crate::coverage) fn same_table(self, one: &str, other: &str) -> bool {
        match self {
            Self::ExactTables => one == other,
            other_way => other_way.same_column(one, other),
        }
    }

    pub(super) fn same_column(self, one: &str, other: &str) -> bool {
        match self {
            Self::Exact => one == other,
            Self::AnyAsciiCase => one.eq_ignore_ascii_case(other),
            Self::ExactTables | Self::AnyCase => one.to_lowercase() == other.to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_its_way() {
        for (names, tables, columns, beyond_ascii) in [
            (Names::Exact, false, false, false),
            (Names::ExactTables, false, true, true),
            (Names::AnyCase, true, true, true),
            (Names::AnyAsciiCase, true, true, false),
        ] {
            assert!(names.same_table("post", "post") && names.same_column("ß", "ß"));
            assert_eq!(names.same_table("Post", "post"), tables, "{names:?}");
            assert_eq!(names.same_column("Post", "post"), columns, "{names:?}");
            assert_eq!(names.same_column("Öl", "öl"), beyond_ascii, "{names:?}");
        }
    }
}
