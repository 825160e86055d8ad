//! The generator's description of the tables.

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Small,
    Big,
    Single,
    Double,
    Exact,
    Text,
    Flag,
    Bytes,
    Day,
    At,
    Zoned,
    Json,
    Uuid,
}

impl Kind {
    pub(crate) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int | Self::Small | Self::Big | Self::Single | Self::Double | Self::Exact
        )
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) null: bool,
    /// The database computes it.
    pub(crate) generated: bool,
}

#[derive(Debug)]
pub(crate) struct Table {
    /// The entity's module.
    pub(crate) entity: &'static str,
    pub(crate) name: &'static str,
    /// In the order of the table.
    pub(crate) columns: &'static [Column],
    pub(crate) key: &'static [&'static str],
    /// The database numbers the key.
    pub(crate) numbered: bool,
    /// The unique indexes beside the key.
    pub(crate) unique: &'static [&'static [&'static str]],
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Column {
        *(self.columns.iter())
            .find(|column| column.name == name)
            .unwrap_or_else(|| panic!("{} has no column {name}", self.name))
    }

    /// The columns that a statement may write.
    pub(crate) fn writable(&self) -> Vec<Column> {
        (self.columns.iter().copied())
            .filter(|column| !column.generated)
            .collect()
    }

    /// The written columns outside of the key.
    pub(crate) fn values(&self) -> Vec<Column> {
        (self.writable().into_iter())
            .filter(|column| !self.key.contains(&column.name))
            .collect()
    }
}

const fn not_null(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        null: false,
        generated: false,
    }
}

const fn nullable(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        null: true,
        generated: false,
    }
}

const fn generated(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        null: true,
        generated: true,
    }
}

const LONG_KEY: &str = "long_key_column_name_that_has_sixty_three_bytes_as_pg_allows_it";
const LONG_1: &str = "long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_1";
const LONG_2: &str = "long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_2";

/// Referenced tables first.
pub(crate) const TABLES: &[Table] = &[
    Table {
        entity: "item",
        name: "item",
        columns: &[
            not_null("id", Kind::Int),
            nullable("code", Kind::Text),
            nullable("name", Kind::Text),
            not_null("n", Kind::Int),
            not_null("p", Kind::Double),
            not_null("flag", Kind::Flag),
        ],
        key: &["id"],
        numbered: true,
        unique: &[&["code"]],
    },
    Table {
        entity: "pair",
        name: "pair",
        columns: &[
            not_null("a", Kind::Int),
            not_null("b", Kind::Int),
            nullable("note", Kind::Text),
            nullable("n", Kind::Int),
        ],
        key: &["a", "b"],
        numbered: false,
        unique: &[&["note", "n"]],
    },
    Table {
        entity: "label",
        name: "label",
        columns: &[
            not_null("name", Kind::Text),
            not_null("score", Kind::Int),
            nullable("note", Kind::Text),
        ],
        key: &["name"],
        numbered: false,
        unique: &[],
    },
    Table {
        entity: "acct",
        name: "acct",
        columns: &[
            not_null("id", Kind::Text),
            nullable("k", Kind::Big),
            not_null("email", Kind::Text),
            not_null("n", Kind::Int),
        ],
        key: &["id"],
        numbered: false,
        unique: &[&["email"]],
    },
    Table {
        entity: "parent",
        name: "parent",
        columns: &[not_null("id", Kind::Int), not_null("title", Kind::Text)],
        key: &["id"],
        numbered: false,
        unique: &[],
    },
    Table {
        entity: "child",
        name: "child",
        columns: &[
            not_null("id", Kind::Int),
            nullable("parent_id", Kind::Int),
            nullable("friend_id", Kind::Int),
            not_null("n", Kind::Int),
        ],
        key: &["id"],
        numbered: true,
        unique: &[],
    },
    Table {
        entity: "tree",
        name: "tree",
        columns: &[
            not_null("id", Kind::Int),
            nullable("up_id", Kind::Int),
            not_null("n", Kind::Int),
        ],
        key: &["id"],
        numbered: false,
        unique: &[],
    },
    Table {
        entity: "shop",
        name: "shop",
        columns: &[
            not_null("id", Kind::Int),
            not_null("title", Kind::Text),
            not_null("n", Kind::Int),
            not_null("stamp", Kind::Int),
        ],
        key: &["id"],
        numbered: true,
        unique: &[],
    },
    Table {
        entity: "calc",
        name: "calc",
        columns: &[
            not_null("id", Kind::Int),
            not_null("a", Kind::Int),
            nullable("b", Kind::Int),
            generated("total", Kind::Int),
            not_null("name", Kind::Text),
        ],
        key: &["id"],
        numbered: true,
        unique: &[&["name"]],
    },
    Table {
        entity: "long",
        name: "long_table_name_that_has_sixty_three_bytes_as_postgresql_allows",
        columns: &[
            not_null(LONG_KEY, Kind::Int),
            nullable(LONG_1, Kind::Int),
            nullable(LONG_2, Kind::Text),
        ],
        key: &[LONG_KEY],
        numbered: false,
        unique: &[&[LONG_2]],
    },
    Table {
        entity: "wide",
        name: "wide",
        columns: &[
            not_null("id", Kind::Int),
            nullable("small", Kind::Small),
            nullable("big", Kind::Big),
            nullable("single", Kind::Single),
            nullable("twofold", Kind::Double),
            nullable("exact", Kind::Exact),
            nullable("t", Kind::Text),
            nullable("bytes", Kind::Bytes),
            nullable("day", Kind::Day),
            nullable("at", Kind::At),
            nullable("zoned", Kind::Zoned),
            nullable("j", Kind::Json),
            nullable("u", Kind::Uuid),
        ],
        key: &["id"],
        numbered: false,
        unique: &[],
    },
];

/// A table whose key is comparable with the other's. Whether a text that is no number fails a comparison with a number
/// depends on the row that MariaDB reads first, which may vary.
pub(crate) fn comparable<'a>(table: &'a Table, other: &'a Table) -> &'a Table {
    let is_number = |table: &Table| table.column(table.key[0]).kind.is_number();
    if is_number(table) == is_number(other) {
        other
    } else {
        table
    }
}
