use sea_orm_audit::behavior;

pub struct ActiveModel;

#[behavior]
impl Clone for ActiveModel {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
