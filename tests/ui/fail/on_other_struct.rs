use sea_orm_audit::Auditable;

#[derive(Auditable)]
pub struct Post {
    pub id: i32,
}

fn main() {}
