//! The shop's four tables: ordinary entities, each with one additional derive.

pub mod customer_order;
pub mod order_line;
pub mod product;
pub mod user;
