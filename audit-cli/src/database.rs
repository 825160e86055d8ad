//! The connection, and whether there is a log.

use sea_orm::{
    ColumnTrait, ConnectOptions, Database, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use sea_orm_audit_core::AuditConfig;
use sea_orm_audit_core::entity::audit_log::{self, Column as C};

use crate::args::Global;
use crate::error::{CliError, Result, reading};

/// The URL, of which no message shows the password.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The URL that the command line or the environment names.
    pub(crate) fn of(global: &Global) -> Option<Self> {
        global
            .database_url
            .clone()
            .filter(|url| !url.is_empty())
            .map(Self)
    }

    /// A message without the URL and its password.
    pub(crate) fn hide(&self, message: &str) -> String {
        let mut message = message.replace(&self.0, &self.shown());
        if let Some(password) = self.password().filter(|password| !password.is_empty()) {
            for password in [password.to_owned(), decoded(password)] {
                message = message.replace(&password, "***");
            }
        }
        message
    }

    fn authority(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        // A password may have a slash that is not encoded.
        rest.rsplit_once('@').map(|(authority, _)| authority)
    }

    fn password(&self) -> Option<&str> {
        self.authority()?
            .split_once(':')
            .map(|(_, password)| password)
    }

    fn shown(&self) -> String {
        match self.password() {
            Some(password) => self.0.replacen(&format!(":{password}@"), ":***@", 1),
            None => self.0.clone(),
        }
    }
}

/// A text without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Connects to the database of the log.
pub(crate) async fn connect(global: &Global) -> Result<DatabaseConnection> {
    let url = global.database_url.as_deref().unwrap_or_default();
    let is_known = ["sqlite:", "postgres:", "postgresql:", "mysql:", "mariadb:"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !is_known {
        let what = if url.is_empty() {
            "no database is named: set DATABASE_URL, or use `--database-url`"
        } else {
            "the database's URL does not begin with `sqlite:`, `postgres:` or `mysql:`"
        };
        return Err(CliError::Usage(what.to_owned()));
    }
    // The drivers know MariaDB under the other name only.
    let url = match url.strip_prefix("mariadb:") {
        Some(rest) => format!("mysql:{rest}"),
        None => url.to_owned(),
    };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .connect_timeout(std::time::Duration::from_secs(10))
        .acquire_timeout(std::time::Duration::from_secs(10));
    Database::connect(options)
        .await
        .map_err(|source| CliError::Database {
            what: match source {
                _ if is_timeout(&source) => {
                    "the database does not answer: check the host and the port"
                }
                _ => "the database cannot be reached",
            },
            source,
        })
}

/// The driver tries a refused connection again until the time is over.
fn is_timeout(error: &DbErr) -> bool {
    error.to_string().contains("timed out")
}

/// Refuses a database without a log.
pub(crate) async fn check_log(db: &DatabaseConnection) -> Result {
    let first = audit_log::Entity::find()
        .select_only()
        .column(C::Id)
        .limit(1);
    let read: std::result::Result<Option<i64>, DbErr> = first.into_tuple().one(db).await;
    match read {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Err(CliError::NoLog(missing_log())),
        Err(error) => Err(reading(error)),
    }
}

/// What to do where there is no log.
pub(crate) fn missing_log() -> String {
    let tables = AuditConfig::current().tables();
    format!(
        "this database has no audit log: the table `{}` does not exist. Check the URL, `--table-prefix` and `--schema`; \
         if the application has not created the log yet, run its audit migrations",
        tables.qualified(tables.log())
    )
}

/// Whether a table is missing, by the databases' messages.
pub(crate) fn is_missing(error: &DbErr) -> bool {
    let text = error.to_string();
    [
        "no such table",
        "does not exist",
        "doesn't exist",
        "Unknown database",
    ]
    .iter()
    .any(|message| text.contains(message))
}

/// The names of the models that the log has records of. Each is found by a step along the index of objects.
pub(crate) async fn models(db: &DatabaseConnection) -> Result<Vec<String>> {
    /// More are not needed for a suggestion.
    const MOST: usize = 1_000;
    let mut models: Vec<String> = Vec::new();
    while models.len() < MOST {
        let mut next = audit_log::Entity::find()
            .select_only()
            .column(C::Model)
            .filter(C::Model.is_not_null());
        if let Some(last) = models.last() {
            next = next.filter(C::Model.gt(last.as_str()));
        }
        let next: Option<String> = next
            .order_by_asc(C::Model)
            .limit(1)
            .into_tuple()
            .one(db)
            .await
            .map_err(reading)?;
        match next {
            Some(model) => models.push(model),
            None => break,
        }
    }
    Ok(models)
}

/// The error of a model without a record.
pub(crate) async fn unknown_model(
    db: &DatabaseConnection,
    model: &str,
) -> Result<Option<CliError>> {
    let models = models(db).await?;
    if models.iter().any(|known| known == model) {
        return Ok(None);
    }
    let model = crate::text::clean(model);
    let near = models
        .iter()
        .map(|known| {
            (
                strsim::osa_distance(&known.to_lowercase(), &model.to_lowercase()),
                known,
            )
        })
        .filter(|(edits, known)| *edits <= 1 + known.chars().count() / 4)
        .min_by_key(|(edits, _)| *edits);
    let advice = match near {
        Some((_, near)) => format!("did you mean `{}`?", crate::text::clean(near)),
        None if models.is_empty() => "the log has no record of any model".to_owned(),
        None => {
            let names: Vec<String> = models
                .iter()
                .take(20)
                .map(|name| crate::text::clean(name))
                .collect();
            format!("the log has records of {}", names.join(", "))
        }
    };
    Ok(Some(CliError::Usage(format!(
        "the log has no record of a model `{model}`: {advice}"
    ))))
}

/// The database's kind has no other name in SeaORM.
pub(crate) fn backend_name(db: &DatabaseConnection) -> &'static str {
    match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => "PostgreSQL",
        sea_orm::DbBackend::MySql => "MySQL or MariaDB",
        _ => "SQLite",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_hidden_as_written_and_decoded() {
        let url = Secret("postgres://ann:p%40ss/w@rd@db.example:5432/shop".to_owned());
        let message = "cannot open postgres://ann:p%40ss/w@rd@db.example:5432/shop with p@ss/w@rd";
        assert_eq!(
            url.hide(message),
            "cannot open postgres://ann:***@db.example:5432/shop with ***"
        );
        let plain = Secret("sqlite:shop.db".to_owned());
        assert_eq!(plain.hide("no sqlite:shop.db"), "no sqlite:shop.db");
    }
}
