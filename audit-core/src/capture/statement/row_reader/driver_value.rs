//! The bytes of a value as the driver received them.
//!
//! SeaORM has sqlx, and its rows, under the feature of a driver, which the application sets. This crate has no feature
//! that follows it. A glob import inside of a function hides the names of the module around it, and a type's own method
//! precedes that of a trait: so what SeaORM may lack is defined in [`absent`], and SeaORM's own is used where it exists.

use sea_orm::QueryResult;

#[allow(unused_imports)]
use absent::{Rows, sqlx};

/// A value that is not NULL and the name of its type, as sqlx writes it; by the driver that read it.
pub(super) enum DriverValue<'r> {
    Postgres(&'r [u8], String),
    MySql(&'r [u8], String),
}

/// The value of a column in a prepared statement's answer; `None` for NULL, and for other drivers.
#[allow(clippy::borrow_deref_ref)] // sqlx returns a `Cow`
pub(super) fn driver_value<'r>(row: &'r QueryResult, name: &str) -> Option<DriverValue<'r>> {
    #[allow(clippy::wildcard_imports, unused_imports)]
    use sea_orm::*;

    if let Some(row) = row.try_as_pg_row() {
        let bytes = sqlx::Row::try_get_unchecked::<&[u8], _>(row, name).ok()?;
        let value = sqlx::Row::try_get_raw(row, name).ok()?;
        let kind = sqlx::ValueRef::type_info(&value);
        let kind = sqlx::TypeInfo::name(&*kind).to_owned();
        return Some(DriverValue::Postgres(bytes, kind));
    }
    if let Some(row) = row.try_as_mysql_row() {
        // An `Option` would be `None` for a zero date, too.
        let bytes = sqlx::Row::try_get_unchecked::<&[u8], _>(row, name).ok()?;
        let value = sqlx::Row::try_get_raw(row, name).ok()?;
        let kind = sqlx::ValueRef::type_info(&value);
        let kind = sqlx::TypeInfo::name(&*kind).to_owned();
        return Some(DriverValue::MySql(bytes, kind));
    }
    None
}

/// What SeaORM lacks without a driver. No row is ever made of it.
#[allow(dead_code)]
mod absent {
    use sea_orm::QueryResult;

    pub(super) trait Rows {
        fn try_as_pg_row(&self) -> Option<&AbsentRow> {
            None
        }

        fn try_as_mysql_row(&self) -> Option<&AbsentRow> {
            None
        }
    }

    impl Rows for QueryResult {}

    pub(super) struct AbsentRow;
    pub(super) struct AbsentValue;

    /// The traits that are used of it.
    pub(super) mod sqlx {
        use super::{AbsentRow, AbsentValue};

        pub(crate) trait Row {
            fn try_get_raw(&self, _: &str) -> Result<AbsentValue, ()> {
                Err(())
            }

            fn try_get_unchecked<T, I>(&self, _: I) -> Result<T, ()> {
                Err(())
            }
        }

        pub(crate) trait ValueRef: Sized {
            fn type_info(&self) -> &Self {
                self
            }
        }

        pub(crate) trait TypeInfo {
            fn name(&self) -> &'static str {
                ""
            }
        }

        impl Row for AbsentRow {}
        impl ValueRef for AbsentValue {}
        impl TypeInfo for AbsentValue {}
    }
}
