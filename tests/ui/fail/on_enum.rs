use sea_orm_audit::Auditable;

#[derive(Auditable)]
pub enum Model {
    Id(i32),
}

fn main() {}
