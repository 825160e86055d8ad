use sea_orm_audit::Auditable;

#[derive(Auditable)]
pub struct Model(i32);

fn main() {}
