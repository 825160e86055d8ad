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

    #[allow(dead_code)]
    /// For the rows of sqlx; that of an absent driver has a method of its own.
    trait BytesOfColumn<'r> {
        fn bytes(self, name: &str) -> Option<(&'r [u8], String)>;
    }

    impl<'r, R> BytesOfColumn<'r> for DriverRow<'r, R>
    where
        R: sqlx::Row,
        for<'n> &'n str: sqlx::ColumnIndex<R>,
        &'r [u8]: sqlx::Decode<'r, R::Database>,
    {
        fn bytes(self, name: &str) -> Option<(&'r [u8], String)> {
            // An `Option` would be `None` for a zero date of MySQL, too.
            let bytes = sqlx::Row::try_get_unchecked::<&[u8], _>(self.0, name).ok()?;
            let value = sqlx::Row::try_get_raw(self.0, name).ok()?;
            let kind = sqlx::ValueRef::type_info(&value);
            Some((bytes, sqlx::TypeInfo::name(&*kind).to_owned()))
        }
    }

    if let Some(row) = row.try_as_pg_row() {
        let (bytes, kind) = DriverRow(row).bytes(name)?;
        return Some(DriverValue::Postgres(bytes, kind));
    }
    if let Some(row) = row.try_as_mysql_row() {
        let (bytes, kind) = DriverRow(row).bytes(name)?;
        return Some(DriverValue::MySql(bytes, kind));
    }
    None
}

/// A row of a driver, or of one that is absent.
#[allow(dead_code)]
struct DriverRow<'r, R>(&'r R);

#[allow(dead_code, clippy::unused_self)]
impl<'r> DriverRow<'r, absent::AbsentRow> {
    fn bytes(self, _: &str) -> Option<(&'r [u8], String)> {
        None
    }
}

/// What SeaORM lacks without a driver. No row is ever made of it.
///
/// Each driver is absent by itself: sqlx is there if one of them is.
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
        use super::AbsentValue;

        pub(crate) trait Row {
            type Database;

            fn try_get_raw<I: ColumnIndex<Self>>(&self, _: I) -> Result<AbsentValue, ()> {
                Err(())
            }

            fn try_get_unchecked<'r, T, I>(&'r self, _: I) -> Result<T, ()>
            where
                T: Decode<'r, Self::Database>,
                I: ColumnIndex<Self>,
            {
                Err(())
            }
        }

        pub(crate) trait ColumnIndex<R: ?Sized> {}

        pub(crate) trait Decode<'r, D> {}

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

        impl ValueRef for AbsentValue {}
        impl TypeInfo for AbsentValue {}
    }
}
