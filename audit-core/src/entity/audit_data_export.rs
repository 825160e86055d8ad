//! One row per export of data.

use sea_orm::entity::prelude::*;

use super::audit_entity;

audit_entity!(data_export);

/// An export of data.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
pub struct Model {
    /// The export's number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened, UTC, to the microsecond.
    pub occurred_at: DateTimeUtc,
    /// The last record of this export in `audit_log`.
    pub log_id: Option<i64>,
    /// The outcome, a word of [`Outcome`](crate::Outcome); `OPEN` while the export is under way, and when its process
    /// ended before.
    pub outcome: String,
    /// What kind of actor exported it.
    pub actor_type: String,
    /// The actor's id.
    pub actor_id: Option<String>,
    /// The actor's name at that time.
    pub actor_name: Option<String>,
    /// What was exported.
    pub export_type: String,
    /// The format, such as `CSV`.
    pub file_format: Option<String>,
    /// How many records it holds.
    pub record_count: Option<i64>,
    /// Its size in bytes.
    pub file_size: Option<i64>,
    /// The filters that chose the records.
    pub filters_applied: Option<Json>,
    /// Where the file is kept.
    pub file_path: Option<String>,
    /// How often the file was downloaded.
    pub download_count: i64,
    /// When the file was downloaded last.
    pub last_downloaded_at: Option<DateTimeUtc>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}
