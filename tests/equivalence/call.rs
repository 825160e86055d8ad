//! The calls of SeaORM's builders and models, and of the bulk builders.

/// The method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    ModelInsert,
    ModelUpdate,
    ModelSave,
    ModelDelete,
    UpdateFound,
    DeleteFound,
    BulkInsertMany,
    BulkUpsert,
    BulkUpdateMany,
    BulkDeleteMany,
    Insert,
    InsertReturning,
    InsertWithoutReturning,
    InsertMany,
    InsertManyReturning,
    InsertManyWithoutReturning,
    Upsert,
    UpsertReturning,
    UpsertWithoutReturning,
    TryInsert,
    UpdateOne,
    UpdateMany,
    UpdateManyReturning,
    DeleteMany,
    DeleteManyReturning,
}

impl Call {
    /// Whether an audited application calls a bulk builder.
    pub(crate) fn is_bulk(self) -> bool {
        matches!(
            self,
            Self::BulkInsertMany | Self::BulkUpsert | Self::BulkUpdateMany | Self::BulkDeleteMany
        )
    }

    /// The kind of write.
    pub(crate) fn kind(self) -> &'static str {
        let name = format!("{self:?}");
        let kinds = [
            ("Upsert", "upsert by builder"),
            ("TryInsert", "upsert by builder"),
            ("Update", "update by builder"),
            ("Delete", "delete by builder"),
        ];
        let kind = kinds.into_iter().find(|(word, _)| name.contains(word));
        kind.map_or("insert by builder", |(_, kind)| kind)
    }

    /// The verbs of the statements that it may send.
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        match self.kind() {
            _ if self == Self::ModelSave => &["INSERT", "UPDATE"],
            "update by builder" => &["UPDATE"],
            "delete by builder" => &["DELETE"],
            _ => &["INSERT"],
        }
    }
}
