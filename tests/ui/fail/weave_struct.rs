use sea_orm_audit::behavior;

#[behavior]
pub struct ActiveModel;

fn main() {}
