use sea_orm_audit::behavior;

pub struct ActiveModel<T>(T);

#[behavior]
impl<T> ActiveModelBehavior for ActiveModel<T> {}

fn main() {}
