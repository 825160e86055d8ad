//! TRUNCATE, on PostgreSQL.

use sea_orm::{ConnectionTrait, Statement};

use super::{CaptureError, Engine, ExecOutput, Request};
use crate::record::{is_no_transaction, prepare_again};

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Records all rows of a table, then empties it.
    ///
    /// TRUNCATE also removes rows that were committed after the transaction's snapshot was taken, which a read
    /// at REPEATABLE READ does not see: there it cannot be captured.
    pub(super) async fn truncate(&self, request: Request<'_>) -> Result<ExecOutput, CaptureError> {
        let backend = self.db.get_database_backend();
        let info = request.audited.info;
        if let Some(why) = (request.live.refuses_reading(&request.audited.all_columns()))
            .or_else(|| self.lacks_columns(request))
        {
            return Err(CaptureError::Uncapturable(why));
        }
        if request.live.is_secured {
            return Err(CaptureError::Uncapturable(
                "row-level security may hide rows that it removes",
            ));
        }
        let call = request.call;
        let own = |error| CaptureError::Failed(call.own_error(error));
        let sql = "SELECT current_setting('transaction_isolation') AS level";
        let row = (self
            .db
            .query_one_raw(prepare_again(Statement::from_string(backend, sql)))
            .await)
            .map_err(own)?;
        let level: String = row.map_or(Ok(String::new()), |row| row.try_get("", "level"))?;
        if level != "read committed" && level != "read uncommitted" {
            return Err(CaptureError::Uncapturable(
                "at this isolation level it removes rows that cannot be read",
            ));
        }
        // The lock that TRUNCATE takes itself, before any read.
        let lock = format!(
            "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
            request.write.qualifier
        );
        let locked = self.db.execute_unprepared(&lock);
        if let Err(error) = locked.await {
            // After a COMMIT by the application no transaction holds the lock.
            if is_no_transaction(&error) {
                return Err(CaptureError::Uncapturable(
                    "outside of a transaction its rows cannot be read safely",
                ));
            }
            return Err(own(error));
        }
        let list = (info.access.list)(backend, None);
        let key = super::key_conditions::columns_text(backend, &request.audited.key_columns());
        let select = format!("SELECT {list} FROM {}", self.table(info));
        let most = self.config.chunk_rows();
        let mut offset = 0;
        // No other client changes the table from here on.
        loop {
            let page = format!("{select} ORDER BY {key} LIMIT {most} OFFSET {offset}");
            let rows = (self
                .db
                .query_all_raw(self.own(info, Statement::from_string(backend, page)))
                .await)
                .map_err(own)?;
            for row in self.read(info, &rows) {
                self.record_deleted(request.audited, self.source, &row)?;
                self.flush_when_full().await?;
            }
            if (rows.len() as u64) < most {
                break;
            }
            offset += most;
        }
        Ok(self.run(call, request.statement).await?.settled())
    }
}
