//! The database's metadata of itself and of the tables.

use std::collections::HashMap;

use sea_orm_migration::sea_orm::sea_query::Value;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// `JSON_EQUALS` came with 10.7.
    MariaDb {
        json_equals: bool,
    },
    MySql,
}

impl Server {
    fn of(version: &str) -> Self {
        if !version.contains("MariaDB") {
            return Self::MySql;
        }
        // Old clients receive `5.5.5-10.11.6-MariaDB`.
        let version = version.strip_prefix("5.5.5-").unwrap_or(version);
        let mut numbers = version
            .split(['.', '-'])
            .map(|part| part.parse::<u32>().unwrap_or_default());
        let version = (numbers.next(), numbers.next());
        Self::MariaDb {
            json_equals: version >= (Some(10), Some(7)),
        }
    }
}

/// A table with its schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
}

/// A column as it is.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its type, in lower case and without length.
    pub(super) kind: String,
    /// Its type as it is declared, for a variable that holds its values.
    pub(super) declared: String,
    pub(super) is_key: bool,
    pub(super) is_nullable: bool,
}

/// What happens to the rows that refer to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Cascade,
    SetNull,
    Nothing,
}

impl Rule {
    fn of(text: &str) -> Self {
        match text {
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            _ => Self::Nothing,
        }
    }
}

/// A foreign key.
#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    pub(super) child: Table,
    pub(super) parent: Table,
    /// The columns of the child, and those of the parent.
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) on_delete: Rule,
    pub(super) on_update: Rule,
}

/// All metadata that the triggers need.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) server: Server,
    /// The connection's own schema.
    pub(super) schema: String,
    pub(super) columns: HashMap<Table, Vec<Column>>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// The columns of each unique index.
    pub(super) unique: HashMap<Table, Vec<Vec<String>>>,
}

pub(super) async fn rows<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(Statement::from_sql_and_values(
        DbBackend::MySql,
        sql,
        values,
    ))
    .await
}

impl Catalogue {
    /// Reads what concerns a schema, by default the connection's own.
    pub(super) async fn read<C: ConnectionTrait>(
        db: &C,
        schema: Option<&str>,
    ) -> Result<Self, DbErr> {
        let sql = "SELECT CAST(IFNULL(DATABASE(), '') AS CHAR) AS a, CAST(VERSION() AS CHAR) AS b";
        let found = rows(db, sql, []).await?;
        let found = (found.first())
            .ok_or_else(|| DbErr::RecordNotFound("the database did not tell its name".into()))?;
        let own: String = found.try_get("", "a")?;
        let version: String = found.try_get("", "b")?;
        let schema = schema.unwrap_or(&own).to_owned();
        let mut catalogue = Self {
            server: Server::of(&version),
            schema: own,
            columns: HashMap::new(),
            foreign_keys: Vec::new(),
            unique: HashMap::new(),
        };
        // A key may lead into another schema, and another from there.
        let mut unread = vec![schema.clone()];
        let mut read: Vec<String> = Vec::new();
        while let Some(next) = unread.pop() {
            catalogue.read_foreign_keys(db, &next, &read).await?;
            read.push(next);
            let schemas = (catalogue.foreign_keys.iter())
                .flat_map(|key| [&key.child.schema, &key.parent.schema]);
            unread = schemas.filter(|it| !read.contains(it)).cloned().collect();
        }
        catalogue.read_columns(db, &schema).await?;
        catalogue.read_unique_indexes(db, &schema).await?;
        Ok(catalogue)
    }

    /// Reads the unique indexes of a schema.
    async fn read_unique_indexes<C: ConnectionTrait>(
        &mut self,
        db: &C,
        schema: &str,
    ) -> Result<(), DbErr> {
        // An expression, or a column's first characters, are no column's name.
        let sql = "SELECT CAST(TABLE_NAME AS CHAR) AS t, \
             CAST(IF(SUB_PART IS NULL, COLUMN_NAME, NULL) AS CHAR) AS c, \
             CAST(SEQ_IN_INDEX AS SIGNED) AS n \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND NON_UNIQUE = 0 \
             ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";
        for row in rows(db, sql, [schema.into()]).await? {
            let table = Table {
                schema: schema.to_owned(),
                name: row.try_get("", "t")?,
            };
            let indexes = self.unique.entry(table).or_default();
            if row.try_get::<i64>("", "n")? == 1 {
                indexes.push(Vec::new());
            }
            if let Some(index) = indexes.last_mut() {
                index.push(row.try_get::<Option<String>>("", "c")?.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Whether the values of these columns identify a row of a table: no other row has them, and each value has one
    /// form, unlike texts that a collation treats as equal.
    pub(super) fn identifies(&self, table: &Table, columns: &[String]) -> bool {
        let is_among = |name: &String| columns.iter().any(|own| own.eq_ignore_ascii_case(name));
        let is_unique =
            (self.unique.get(table).into_iter().flatten()).any(|index| index.iter().all(is_among));
        let all = self.columns(table).unwrap_or_default();
        let is_plain = |name: &String| {
            (all.iter()
                .find(|column| column.name.eq_ignore_ascii_case(name)))
            .is_some_and(|column| !column.is_nullable && !column.declared.contains(" COLLATE "))
        };
        is_unique && columns.iter().all(is_plain)
    }

    async fn read_foreign_keys<C: ConnectionTrait>(
        &mut self,
        db: &C,
        schema: &str,
        read: &[String],
    ) -> Result<(), DbErr> {
        let sql = "SELECT CAST(k.TABLE_SCHEMA AS CHAR) AS cs, CAST(k.TABLE_NAME AS CHAR) AS ct, \
             CAST(k.REFERENCED_TABLE_SCHEMA AS CHAR) AS ps, CAST(k.REFERENCED_TABLE_NAME AS CHAR) AS pt, \
             CAST(k.COLUMN_NAME AS CHAR) AS c, CAST(k.REFERENCED_COLUMN_NAME AS CHAR) AS p, \
             CAST(r.DELETE_RULE AS CHAR) AS d, CAST(r.UPDATE_RULE AS CHAR) AS u, \
             CAST(k.ORDINAL_POSITION AS SIGNED) AS n \
             FROM information_schema.KEY_COLUMN_USAGE k \
             JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
             ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
             AND r.TABLE_NAME = k.TABLE_NAME \
             WHERE k.REFERENCED_TABLE_NAME IS NOT NULL \
             AND (k.TABLE_SCHEMA = ? OR k.REFERENCED_TABLE_SCHEMA = ?) \
             ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION";
        for row in rows(db, sql, [schema.into(), schema.into()]).await? {
            let text = |name: &str| row.try_get::<String>("", name);
            let table = |schema: &str, name: &str| -> Result<Table, DbErr> {
                Ok(Table {
                    schema: text(schema)?,
                    name: text(name)?,
                })
            };
            let (child, parent) = (table("cs", "ct")?, table("ps", "pt")?);
            // Keys between two schemas are read with the first of them.
            if read.contains(&child.schema) || read.contains(&parent.schema) {
                continue;
            }
            if row.try_get::<i64>("", "n")? == 1 {
                self.foreign_keys.push(ForeignKey {
                    child,
                    parent,
                    from: Vec::new(),
                    to: Vec::new(),
                    on_delete: Rule::of(&text("d")?),
                    on_update: Rule::of(&text("u")?),
                });
            }
            if let Some(key) = self.foreign_keys.last_mut() {
                key.from.push(text("c")?);
                key.to.push(text("p")?);
            }
        }
        Ok(())
    }

    async fn read_columns<C: ConnectionTrait>(
        &mut self,
        db: &C,
        schema: &str,
    ) -> Result<(), DbErr> {
        let mut schemas: Vec<&str> = (self.foreign_keys.iter())
            .flat_map(|key| [key.child.schema.as_str(), key.parent.schema.as_str()])
            .chain([schema])
            .collect();
        schemas.sort_unstable();
        schemas.dedup();
        let sql = "SELECT CAST(TABLE_NAME AS CHAR) AS t, CAST(COLUMN_NAME AS CHAR) AS c, \
             CAST(DATA_TYPE AS CHAR) AS d, CAST(COLUMN_KEY AS CHAR) AS k, \
             CAST(IS_NULLABLE AS CHAR) AS o, \
             CONCAT(COLUMN_TYPE, IFNULL(CONCAT(' CHARACTER SET ', CHARACTER_SET_NAME), ''), \
             IFNULL(CONCAT(' COLLATE ', COLLATION_NAME), '')) AS f \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
             ORDER BY TABLE_NAME, ORDINAL_POSITION";
        for schema in schemas {
            for row in rows(db, sql, [schema.into()]).await? {
                let text = |name: &str| row.try_get::<String>("", name);
                let table = Table {
                    schema: schema.to_owned(),
                    name: text("t")?,
                };
                self.columns.entry(table).or_default().push(Column {
                    name: text("c")?,
                    kind: text("d")?.to_ascii_lowercase(),
                    declared: text("f")?,
                    is_key: text("k")? == "PRI",
                    is_nullable: text("o")? != "NO",
                });
            }
        }
        Ok(())
    }

    /// A table as the catalogue spells it, which need not be as the entity does.
    pub(super) fn table(&self, schema: Option<&str>, name: &str) -> Table {
        let wanted = Table {
            schema: schema.unwrap_or(&self.schema).to_owned(),
            name: name.to_owned(),
        };
        if self.columns.contains_key(&wanted) {
            return wanted;
        }
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let alike =
            |table: &&Table| same(&table.schema, &wanted.schema) && same(&table.name, &wanted.name);
        let found = self.columns.keys().find(alike).cloned();
        found.unwrap_or(wanted)
    }

    /// The columns of a table; `None` where there is no such table.
    pub(super) fn columns(&self, table: &Table) -> Option<&[Column]> {
        self.columns.get(table).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_distinguished() {
        let maria = |json_equals| Server::MariaDb { json_equals };
        assert_eq!(Server::of("10.6.12-MariaDB-log"), maria(false));
        assert_eq!(Server::of("5.5.5-10.11.6-MariaDB-1:10.11"), maria(true));
        assert_eq!(Server::of("11.4.2-MariaDB"), maria(true));
        assert_eq!(Server::of("8.0.36"), Server::MySql);
    }
}
