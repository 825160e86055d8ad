use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, IntoActiveModel, Set};

use crate::product;

// Before: `db: &DatabaseConnection`, or `db: &DatabaseTransaction`.
pub async fn rename(
    db: &impl ConnectionTrait,
    tea: product::Model,
    name: &str,
) -> Result<product::Model, DbErr> {
    let mut tea = tea.into_active_model();
    tea.name = Set(name.to_owned());
    tea.update(db).await
}
