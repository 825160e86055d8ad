use sea_orm_audit::Auditable;

#[derive(Auditable)]
pub union Model {
    id: i32,
}

fn main() {}
