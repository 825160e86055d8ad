use sea_orm_audit::behavior;

pub struct ActiveModel;

#[behavior]
impl ActiveModel {
    pub fn touch(&mut self) {}
}

fn main() {}
