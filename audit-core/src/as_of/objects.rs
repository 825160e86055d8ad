//! Objects at a past moment, by their object ids.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter};

use super::events::{self, CHUNK, EventId};
use super::key::{key_of, moved_to};
use super::moment::{Moment, Place};
use super::moved::take_back;
use super::past::{Event, Past};
use super::rows::read_rows;
use crate::auditable::EntityInfo;
use crate::config::{AuditConfig, Plan};
use crate::entity::audit_log::Column as C;
use crate::error::AuditError;

/// How many objects are looked up in one statement.
const OBJECTS: usize = 200;

/// Reads objects of one model at one moment.
pub(crate) struct Objects<'a, Db> {
    pub(crate) db: &'a Db,
    pub(crate) config: &'a AuditConfig,
    pub(crate) plan: &'a Plan,
    pub(crate) moment: Moment,
    pub(crate) place: Place,
}

impl<Db: ConnectionTrait> Objects<'_, Db> {
    pub(super) const fn info(&self) -> &'static EntityInfo {
        self.plan.info
    }

    /// The error that something is not known.
    pub(super) fn unknown(&self, why: impl Into<String>) -> DbErr {
        AuditError::PastUnknown {
            model: self.info().model().to_owned(),
            moment: self.moment.to_string(),
            why: why.into(),
        }
        .into()
    }

    /// Refuses a model of which some changes are not recorded.
    pub(crate) fn check_recorded(&self) -> Result<(), DbErr> {
        let skipped =
            (crate::action::Action::CHANGES.iter()).find(|a| self.plan.skips(self.config, a));
        match skipped {
            Some(action) => Err(self.unknown(format!("its {action} actions are not recorded"))),
            None => Ok(()),
        }
    }

    /// The key that has this object id.
    pub(super) fn key_of(&self, object_id: &str) -> Result<Vec<Value>, DbErr> {
        key_of(self.config, self.plan, object_id).ok_or_else(|| {
            self.unknown(format!(
                "the object id `{object_id}` is not the text of a key"
            ))
        })
    }

    /// The rows as they are, by their object ids.
    pub(super) async fn rows(
        &self,
        object_ids: &[String],
    ) -> Result<HashMap<String, Vec<Value>>, DbErr> {
        let mut rows = HashMap::new();
        for chunk in object_ids.chunks(OBJECTS) {
            let keys = (chunk.iter())
                .map(|id| self.key_of(id))
                .collect::<Result<Vec<_>, _>>()?;
            for row in read_rows(self.db, self.info(), &keys, "").await? {
                let id = (self.plan)
                    .object_id(self.config, &self.info().key_of(&row))
                    .map_err(|cause| DbErr::Type(cause.to_string()))?;
                rows.insert(id, row);
            }
        }
        Ok(rows)
    }

    /// The records after the moment of these objects, in ascending order.
    pub(super) async fn events_of(&self, object_ids: &[String]) -> Result<Vec<Event>, DbErr> {
        let mut found = Vec::new();
        for chunk in object_ids.chunks(OBJECTS) {
            let records = events::of_model(self.info())
                .filter(C::ObjectId.is_in(chunk))
                .filter(C::Id.gte(self.place.first));
            found.extend(events::read(self.db, records).await?);
        }
        // A database may compare texts without regard to spaces at their ends.
        found.retain(|event| object_ids.contains(&event.object_id));
        found.sort_by_key(|event| event.id);
        Ok(events::later(found, self.place))
    }

    /// The changes of keys after the moment: the object id before, and the one after.
    pub(super) async fn moves(&self) -> Result<Vec<(String, String)>, DbErr> {
        let mut moves = Vec::new();
        let mut after = None;
        loop {
            let ids = events::next_ids(self.db, self.info(), self.place, after).await?;
            moves.extend(self.moves_of(&ids).await?);
            match ids.last() {
                Some(last) if ids.len() as u64 == CHUNK => after = Some(last.id),
                _ => return Ok(moves),
            }
        }
    }

    /// The changes of keys among these records.
    pub(super) async fn moves_of(&self, ids: &[EventId]) -> Result<Vec<(String, String)>, DbErr> {
        let numbers: Vec<i64> = (ids.iter())
            .filter(|event| event.is_moved)
            .map(|event| event.id)
            .collect();
        let mut moves = Vec::new();
        for chunk in numbers.chunks(OBJECTS) {
            let chunk = events::of_model(self.info()).filter(C::Id.is_in(chunk.iter().copied()));
            for event in events::read(self.db, chunk).await? {
                match moved_to(self.info(), &event.object_id, &event.changes) {
                    Some(to) => moves.push((event.object_id, to)),
                    None => {
                        return Err(self.unknown(format!(
                            "the record {} has no old and new value of the changed key",
                            event.id
                        )));
                    }
                }
            }
        }
        Ok(moves)
    }

    /// Objects at the moment whose keys changed since.
    pub(super) async fn moved(
        &self,
        object_ids: &[String],
    ) -> Result<HashMap<String, Past>, DbErr> {
        let events = self.events_of(object_ids).await?;
        let rows = self.rows(object_ids).await?;
        Ok(take_back(self.plan, &events, rows))
    }
}

/// The object ids that are connected with one by changes of keys.
pub(super) fn connected(moves: &[(String, String)], object_id: &str) -> Vec<String> {
    let mut found = BTreeSet::from([object_id]);
    loop {
        let before = found.len();
        for (from, to) in moves {
            if found.contains(from.as_str()) || found.contains(to.as_str()) {
                found.extend([from.as_str(), to.as_str()]);
            }
        }
        if found.len() == before {
            return found.into_iter().map(str::to_owned).collect();
        }
    }
}
