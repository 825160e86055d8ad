use sea_orm_audit::Auditable;

#[derive(Auditable)]
pub struct Model<T> {
    pub id: T,
}

fn main() {}
