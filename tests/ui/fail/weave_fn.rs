use sea_orm_audit::behavior;

#[behavior]
pub fn before_save() {}

fn main() {}
