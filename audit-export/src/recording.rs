//! The record of an export: begun before its first byte, and ended also where the export is dropped.

use std::time::Instant;

use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::task::{Task, recorded};
use sea_orm_audit_core::{AuditContext, AuditError, AuditScope, DataExport};

use crate::export::CutOff;

/// An export that is recorded as OPEN. Dropped unfinished, it is recorded as cancelled.
pub(crate) struct Recording<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    open: Option<Open<C>>,
}

struct Open<C> {
    db: C,
    export: DataExport,
    /// The row of its beginning; 0 where exports are not recorded.
    begun: i64,
    began: Instant,
    scope: AuditScope,
    records: u64,
    bytes: u64,
}

impl<C> Recording<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// An export that is not recorded.
    pub(crate) const fn none() -> Self {
        Self { open: None }
    }

    /// Records the beginning, in a task: a caller that is dropped meanwhile leaves a cancelled export, no open one.
    pub(crate) async fn begin(db: &C, export: DataExport) -> Result<Self, AuditError> {
        let db = db.clone();
        let scope = AuditContext::current().into_scope();
        let begin = async move {
            let begun = export.begin(&db).await?;
            Ok::<_, AuditError>(Self {
                open: Some(Open {
                    scope: AuditContext::current().into_scope(),
                    db,
                    export,
                    begun,
                    began: Instant::now(),
                    records: 0,
                    bytes: 0,
                }),
            })
        };
        recorded(scope.enter(begin)).await
    }

    /// The id of the export's row, where it is recorded.
    pub(crate) fn id(&self) -> Option<i64> {
        let begun = self.open.as_ref().map(|open| open.begun);
        begun.filter(|begun| *begun != 0)
    }

    /// So much is written by now.
    pub(crate) fn written(&mut self, records: u64, bytes: u64) {
        if let Some(open) = &mut self.open {
            (open.records, open.bytes) = (records, bytes);
        }
    }

    /// Records the end, in a task.
    pub(crate) async fn end(mut self, cut_off: Option<CutOff>) -> Result<(), AuditError> {
        match self.open.take() {
            Some(open) => recorded(open.end(cut_off)).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

impl<C> Open<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn end(
        self,
        cut_off: Option<CutOff>,
    ) -> impl Future<Output = Result<i64, AuditError>> + Send + 'static {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut export = self
            .export
            .records(self.records)
            .bytes(self.bytes)
            .metadata("milliseconds", millis);
        if let Some(cut_off) = cut_off {
            export = export.metadata("cut_off", cut_off.as_str());
            if cut_off.is_failure() {
                export = export.failed();
            }
        }
        let (db, begun) = (self.db, self.begun);
        self.scope
            .enter(async move { export.ends(begun).record(&db).await })
    }
}

impl<C> Drop for Recording<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let end = open.end(Some(CutOff::Cancelled));
        let end = async move {
            if let Err(error) = end.await {
                tracing::error!(%error, "the end of a cancelled export could not be recorded");
            }
        };
        // The task continues by itself.
        if let Err(error) = Task::spawn(end) {
            tracing::error!(%error, "the end of a cancelled export could not be recorded");
        }
    }
}
