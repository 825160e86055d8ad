//! Three tables that refer to each other, and random changes of them by every way of writing.
//!
//! One file, because the changes are of these tables only.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::prelude::*;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, IntoActiveModel, QueryOrder, Schema, Set,
    TransactionSession, TransactionTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{AuditedConnection, AuditedEntity};

use crate::support::{HandClock, TestDb, TestResult};

pub(crate) mod customer {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "customer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub city: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::order::Entity")]
        Orders,
    }

    impl Related<super::order::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Orders.def()
        }
    }
}

pub(crate) mod order {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "order")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub customer_id: Option<i32>,
        #[sea_orm(column_type = "Decimal(Some((12, 2)))")]
        pub total: Decimal,
        pub data: Option<Json>,
        pub placed: Option<DateTimeUtc>,
        pub paid: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::customer::Entity",
            from = "Column::CustomerId",
            to = "super::customer::Column::Id",
            on_delete = "Cascade",
            on_update = "Cascade"
        )]
        Customer,
        #[sea_orm(has_many = "super::line::Entity")]
        Lines,
    }

    impl Related<super::customer::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Customer.def()
        }
    }

    impl Related<super::line::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Lines.def()
        }
    }
}

pub(crate) mod line {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "order_line")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub sku: String,
        pub quantity: i64,
        pub weight: f64,
        pub label: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::order::Entity",
            from = "Column::OrderId",
            to = "super::order::Column::Id",
            on_delete = "Cascade"
        )]
        Order,
    }

    impl Related<super::order::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Order.def()
        }
    }
}

/// All rows of the tables, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Copy {
    pub(crate) customers: Vec<customer::Model>,
    pub(crate) orders: Vec<order::Model>,
    pub(crate) lines: Vec<line::Model>,
}

impl Copy {
    pub(crate) async fn of<C: ConnectionTrait>(db: &C) -> Result<Self, DbErr> {
        let mut lines = line::Entity::find().all(db).await?;
        // Databases sort texts in different orders.
        lines.sort_by(|a, b| (a.order_id, &a.sku).cmp(&(b.order_id, &b.sku)));
        Ok(Self {
            customers: customer::Entity::find()
                .order_by_asc(customer::Column::Id)
                .all(db)
                .await?,
            orders: order::Entity::find()
                .order_by_asc(order::Column::Id)
                .all(db)
                .await?,
            lines,
        })
    }
}

/// The tables after one step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) time: DateTimeUtc,
    /// The newest record.
    pub(crate) record: i64,
    pub(crate) what: String,
    pub(crate) copy: Copy,
}

pub(crate) struct Shop<'d> {
    pub(crate) db: &'d TestDb,
    pub(crate) audited: AuditedConnection,
    pub(crate) clock: HandClock,
    /// Triggers record the changes, with times of their own.
    pub(crate) by_trigger: bool,
    runner: TestRunner,
    pub(crate) steps: Vec<Step>,
}

/// The same in each run, unless `PAST_SEED` is set to a number.
fn runner() -> TestRunner {
    let Some(seed) = std::env::var("PAST_SEED")
        .ok()
        .and_then(|seed| seed.parse::<u64>().ok())
    else {
        return TestRunner::deterministic();
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), random)
}

pub(crate) async fn create_tables<C: ConnectionTrait>(db: &C) -> TestResult {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(customer::Entity))
        .await?;
    db.execute(&schema.create_table_from_entity(order::Entity))
        .await?;
    db.execute(&schema.create_table_from_entity(line::Entity))
        .await?;
    Ok(())
}

impl<'d> Shop<'d> {
    pub(crate) async fn new(db: &'d TestDb) -> TestResult<Self> {
        create_tables(&db.conn).await?;
        let clock = HandClock::at("2026-03-01T00:00:00Z")?;
        let config = clock.config().build()?;
        Ok(Self {
            db,
            audited: db.audited().with_config(config),
            clock,
            by_trigger: false,
            runner: runner(),
            steps: Vec::new(),
        })
    }

    /// The same, with triggers in place of capture by the connection.
    pub(crate) async fn with_triggers(db: &'d TestDb) -> TestResult<Self> {
        let mut shop = Self::new(db).await?;
        let config = shop.clock.config();
        let config = config
            .captured_by_trigger::<customer::Entity>()
            .captured_by_trigger::<order::Entity>()
            .captured_by_trigger::<line::Entity>()
            .build()?;
        // Triggers record the rows that follow of the entities that the configuration leaves to triggers.
        for triggers in [
            AuditTriggers::of::<customer::Entity>(),
            AuditTriggers::of::<order::Entity>(),
            AuditTriggers::of::<line::Entity>(),
        ] {
            config.scope(triggers.create(&db.conn)).await?;
        }
        shop.audited = db.audited().with_config(config);
        shop.by_trigger = true;
        Ok(shop)
    }

    pub(crate) fn pick(&mut self, n: u32) -> u32 {
        (0..n).new_tree(&mut self.runner).unwrap().current()
    }

    fn id(&mut self) -> i32 {
        i32::try_from(self.pick(6)).unwrap() + 1
    }

    /// Changes that were reported, and not recorded.
    async fn reports(&self) -> TestResult<usize> {
        Ok(self.db.events().await?.len())
    }

    pub(crate) async fn copy(&mut self, what: &str) -> TestResult {
        let newest = audit_log::Entity::find()
            .order_by_desc(audit_log::Column::Id)
            .one(&self.db.conn)
            .await?;
        self.steps.push(Step {
            time: self.clock.now(),
            record: newest.map_or(0, |record| record.id),
            what: what.to_owned(),
            copy: Copy::of(&self.db.conn).await?,
        });
        Ok(())
    }

    /// Makes so many random changes, and copies the tables after each.
    pub(crate) async fn play(&mut self, steps: usize) -> TestResult {
        for _ in 0..steps {
            if self.pick(3) > 0 {
                self.clock.forward(Duration::from_millis(1));
            }
            let what = if self.pick(6) == 0 {
                self.transaction().await?
            } else {
                let db = self.audited.clone();
                self.change(&db).await?
            };
            assert_eq!(self.reports().await?, 0, "{what}");
            self.copy(&what).await?;
        }
        Ok(())
    }

    async fn transaction(&mut self) -> TestResult<String> {
        let tx = self.audited.begin().await?;
        let mut all = Vec::new();
        for _ in 0..=self.pick(4) {
            all.push(self.change(&tx).await?);
        }
        if self.pick(4) == 0 {
            tx.rollback().await?;
            all.push("rollback".to_owned());
        } else {
            tx.commit().await?;
        }
        Ok(all.join("; "))
    }

    #[allow(clippy::too_many_lines)] // a list of the ways of writing
    async fn change<C: ConnectionTrait + TransactionTrait>(
        &mut self,
        db: &C,
    ) -> TestResult<String> {
        let (id, other) = (self.id(), self.id());
        let backend = db.get_database_backend();
        let n = i64::from(self.pick(90));
        let quoted = if backend == DbBackend::MySql {
            "`order`"
        } else {
            "\"order\""
        };
        let run = async |sql: String| -> TestResult<String> {
            db.execute_unprepared(&sql).await?;
            Ok(sql)
        };
        let kind = self.pick(17);
        Ok(match kind {
            0 | 1 => match customer::Entity::find_by_id(id).one(db).await? {
                None => {
                    let model = customer::ActiveModel {
                        id: Set(id),
                        name: Set(format!("name {n}")),
                        city: Set((n % 3 > 0).then(|| format!("city {}", n % 4))),
                    };
                    model.insert(db).await?;
                    format!("insert customer {id}")
                }
                Some(model) => {
                    let mut model = model.into_active_model();
                    model.name = Set(format!("name {n}"));
                    model.update(db).await?;
                    format!("update customer {id}")
                }
            },
            2..=4 => match order::Entity::find_by_id(id).one(db).await? {
                None => {
                    let has_customer = customer::Entity::find_by_id(other).one(db).await?.is_some();
                    let model = order::ActiveModel {
                        id: Set(id),
                        customer_id: Set(has_customer.then_some(other)),
                        total: Set(Decimal::new(n * 5, 2)),
                        data: Set((n % 2 > 0).then(|| serde_json::json!({"n": [n, null, "ä"]}))),
                        placed: Set(DateTimeUtc::from_timestamp(1_780_000_000 + n, 0)),
                        paid: Set(n % 2 == 0),
                    };
                    model.insert(db).await?;
                    format!("insert order {id}")
                }
                Some(model) => {
                    let mut model = model.into_active_model();
                    model.total = Set(Decimal::new(n, 1));
                    model.paid = Set(n % 3 == 0);
                    model.update(db).await?;
                    format!("update order {id}")
                }
            },
            5 | 6 => {
                if order::Entity::find_by_id(id).one(db).await?.is_none() {
                    return Ok("nothing".to_owned());
                }
                let sku = format!("sku-{}", n % 3);
                let key = (id, sku.clone());
                if let Some(model) = line::Entity::find_by_id(key).one(db).await? {
                    let mut model = model.into_active_model();
                    model.weight = Set(0.1 + f64::from(id));
                    model.label = Set((n % 2 > 0).then(|| vec![0, 255, u8::try_from(n).unwrap()]));
                    model.update(db).await?;
                    format!("update line {id} {sku}")
                } else {
                    let model = line::ActiveModel {
                        order_id: Set(id),
                        sku: Set(sku.clone()),
                        quantity: Set(9_007_199_254_740_990 + n),
                        weight: Set(2.5),
                        label: Set(None),
                    };
                    model.insert(db).await?;
                    format!("insert line {id} {sku}")
                }
            }
            7 => {
                customer::Entity::delete_by_id(id).exec(db).await?;
                format!("delete customer {id}")
            }
            8 => run(format!("DELETE FROM {quoted} WHERE id = {id}")).await?,
            9 => run(format!("DELETE FROM order_line WHERE order_id = {id}")).await?,
            10 => {
                line::Entity::update_many()
                    .col_expr(line::Column::Quantity, Expr::value(n))
                    .filter(line::Column::OrderId.gt(id))
                    .exec(db)
                    .await?;
                format!("update lines after {id}")
            }
            11 => {
                run(format!(
                    "UPDATE {quoted} SET data = NULL, total = total + 1 WHERE id < {id}"
                ))
                .await?
            }
            12 => run(format!("UPDATE customer SET city = NULL WHERE id <> {id}")).await?,
            // Keys change, and rows of other tables with them.
            13 if id != other && customer::Entity::find_by_id(other).one(db).await?.is_none() => {
                run(format!("UPDATE customer SET id = {other} WHERE id = {id}")).await?
            }
            // Keys that change along with a key are reported, and not recorded.
            14 if id != other
                && order::Entity::find_by_id(other).one(db).await?.is_none()
                && line::Entity::find()
                    .filter(line::Column::OrderId.eq(id))
                    .one(db)
                    .await?
                    .is_none() =>
            {
                run(format!(
                    "UPDATE {quoted} SET id = {other}, paid = (1 = 1) WHERE id = {id}"
                ))
                .await?
            }
            15 => {
                let exists = line::Entity::find_by_id((id, "moved".to_owned()))
                    .one(db)
                    .await?;
                if exists.is_some() {
                    return Ok("nothing".to_owned());
                }
                line::Entity::update_many()
                    .col_expr(line::Column::Sku, Expr::value("moved"))
                    .filter(line::Column::OrderId.eq(id))
                    .filter(line::Column::Sku.eq("sku-1"))
                    .exec(db)
                    .await?;
                format!("line {id} sku-1 is moved")
            }
            16 => {
                customer::Entity::insert_many((1..4).map(|id| customer::ActiveModel {
                    id: Set(id),
                    name: Set(format!("many {n}")),
                    city: Set(None),
                }))
                .on_conflict(
                    sea_orm::sea_query::OnConflict::column(customer::Column::Id)
                        .update_column(customer::Column::Name)
                        .to_owned(),
                )
                .exec(db)
                .await?;
                "upsert customers".to_owned()
            }
            _ => "nothing".to_owned(),
        })
    }
}
