//! The workload: a random list of steps, which shrinks.

use proptest::prelude::*;

/// The steps on a connection, and how records are buffered meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) groups: Vec<Group>,
    /// Few enough that buffers fill up, and bulk statements run in chunks.
    pub(super) buffered_records: usize,
    pub(super) chunk_rows: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Group {
    /// Outside of any transaction.
    Alone(Op),
    Transaction {
        steps: Vec<Step>,
        commit: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Do(Op),
    Savepoint { steps: Vec<Step>, commit: bool },
}

/// A write. Rows have small numbers, so that steps conflict.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// On one of the tables that have no foreign keys.
    Row(Table, RowOp),
    Nested(NestedOp),
    Tree(TreeOp),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Wide,
    /// Small integers; on PostgreSQL, which lacks some of them, arrays.
    Narrow,
    /// The types that only this database has.
    Own,
    Label,
    Pair,
}

#[derive(Clone, Debug)]
pub(super) enum RowOp {
    Insert(u8, Fill),
    Update(u8, Fill),
    /// Sets every column to its current value.
    UpdateNothing(u8),
    Delete(u8),
    InsertMany(Vec<u8>, Fill),
    /// Rows with a score in the range.
    UpdateMany(Scores, Fill),
    /// Doubles the score.
    Double(Scores),
    DeleteMany(Scores),
    Upsert(Vec<u8>, Fill),
    InsertOrIgnore(Vec<u8>, Fill),
    /// Inserts an existing row, which fails.
    Clash(u8),
    /// Sets another key, if the key is no number.
    Rename(u8, u8),
}

pub(super) type Scores = std::ops::RangeInclusive<i32>;

/// The columns that get a value, and the values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    columns: u32,
    pick: u8,
}

impl Fill {
    pub(super) const NOTHING: Self = Self {
        columns: 0,
        pick: 0,
    };

    /// The same columns with other values.
    pub(super) fn and(self, more: usize) -> Self {
        let pick = self.pick.wrapping_add(u8::try_from(more).unwrap());
        Self { pick, ..self }
    }

    /// The value that a column gets, by number.
    pub(super) fn of(self, column: usize) -> Option<usize> {
        (self.columns >> (column % 32) & 1 == 1).then(|| usize::from(self.pick) + column)
    }
}

/// Authors are selected by position.
#[derive(Clone, Debug)]
pub(super) enum NestedOp {
    Save { name: u8, books: u8 },
    AddBooks { author: u8, name: u8, books: u8 },
    Delete { author: u8 },
}

/// Rows are selected by position; 0 is none.
#[derive(Clone, Debug)]
pub(super) enum TreeOp {
    Root,
    Branch { root: u8, other: u8 },
    Leaf { branch: u8 },
    Node { branch: u8, above: u8, beside: u8 },
    Move { node: u8, above: u8, beside: u8 },
    Delete(Kind, u8),
    DeleteMany(Kind, u8, u8),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Root,
    Branch,
    Leaf,
    Node,
}

pub(super) fn workloads() -> impl Strategy<Value = Workload> {
    let groups = |op: BoxedStrategy<Op>| {
        let group = prop_oneof![
            3 => op.clone().prop_map(Group::Alone),
            2 => (steps(op), any::<bool>())
                .prop_map(|(steps, commit)| Group::Transaction { steps, commit }),
        ];
        prop::collection::vec(group, 1..20)
    };
    // Most steps write one table, so that statements match several rows.
    let groups = prop_oneof![
        2 => groups(row_op(Table::Wide)),
        1 => groups(row_op(Table::Narrow)),
        1 => groups(row_op(Table::Own)),
        1 => groups(row_op(Table::Label)),
        1 => groups(row_op(Table::Pair)),
        2 => groups(tree().prop_map(Op::Tree).boxed()),
        2 => groups(any_op()),
    ];
    let buffered = prop_oneof![Just(1000), 1..4_usize];
    let chunk = prop_oneof![Just(1000), 1..4_u32];
    (groups, buffered, chunk).prop_map(|(groups, buffered_records, chunk_rows)| Workload {
        groups,
        buffered_records,
        chunk_rows,
    })
}

fn steps(op: BoxedStrategy<Op>) -> impl Strategy<Value = Vec<Step>> {
    let leaf = op.prop_map(Step::Do);
    let step = leaf.prop_recursive(2, 8, 4, |inner| {
        let savepoint = (prop::collection::vec(inner.clone(), 1..5), any::<bool>());
        prop_oneof![
            3 => inner,
            2 => savepoint.prop_map(|(steps, commit)| Step::Savepoint { steps, commit }),
        ]
    });
    prop::collection::vec(step, 1..6)
}

fn any_op() -> BoxedStrategy<Op> {
    let table = [
        Table::Wide,
        Table::Narrow,
        Table::Own,
        Table::Label,
        Table::Pair,
    ];
    prop_oneof![
        2 => prop::sample::select(table.to_vec()).prop_flat_map(row_op),
        2 => nested().prop_map(Op::Nested),
        1 => tree().prop_map(Op::Tree),
    ]
    .boxed()
}

fn row_op(table: Table) -> BoxedStrategy<Op> {
    let code = || 0..9_u8;
    let codes = || prop::collection::vec(0..9_u8, 1..7);
    let scores = || (-1..=3, 0..=6).prop_map(|(from, more)| from..=from + more);
    prop_oneof![
        3 => (code(), fill()).prop_map(|(code, fill)| RowOp::Insert(code, fill)),
        4 => (code(), fill()).prop_map(|(code, fill)| RowOp::Update(code, fill)),
        1 => code().prop_map(RowOp::UpdateNothing),
        2 => code().prop_map(RowOp::Delete),
        4 => (codes(), fill()).prop_map(|(codes, fill)| RowOp::InsertMany(codes, fill)),
        4 => (scores(), fill()).prop_map(|(scores, fill)| RowOp::UpdateMany(scores, fill)),
        3 => scores().prop_map(RowOp::Double),
        1 => scores().prop_map(RowOp::DeleteMany),
        4 => (codes(), fill()).prop_map(|(codes, fill)| RowOp::Upsert(codes, fill)),
        2 => (codes(), fill()).prop_map(|(codes, fill)| RowOp::InsertOrIgnore(codes, fill)),
        1 => code().prop_map(RowOp::Clash),
        1 => (code(), code()).prop_map(|(from, to)| RowOp::Rename(from, to)),
    ]
    .prop_map(move |op| Op::Row(table, op))
    .boxed()
}

fn fill() -> impl Strategy<Value = Fill> {
    (any::<u32>(), any::<u8>()).prop_map(|(columns, pick)| Fill { columns, pick })
}

fn nested() -> impl Strategy<Value = NestedOp> {
    let number = || 0..5_u8;
    prop_oneof![
        2 => (number(), 0..4_u8).prop_map(|(name, books)| NestedOp::Save { name, books }),
        2 => (number(), number(), 0..3_u8)
            .prop_map(|(author, name, books)| NestedOp::AddBooks { author, name, books }),
        1 => number().prop_map(|author| NestedOp::Delete { author }),
    ]
}

fn tree() -> impl Strategy<Value = TreeOp> {
    let number = || 0..5_u8;
    let kind = || {
        prop_oneof![
            Just(Kind::Root),
            Just(Kind::Branch),
            Just(Kind::Leaf),
            Just(Kind::Node)
        ]
    };
    prop_oneof![
        2 => Just(TreeOp::Root),
        4 => (number(), number()).prop_map(|(root, other)| TreeOp::Branch { root, other }),
        3 => number().prop_map(|branch| TreeOp::Leaf { branch }),
        6 => (number(), number(), number())
            .prop_map(|(branch, above, beside)| TreeOp::Node { branch, above, beside }),
        2 => (number(), number(), number())
            .prop_map(|(node, above, beside)| TreeOp::Move { node, above, beside }),
        2 => (kind(), number()).prop_map(|(kind, at)| TreeOp::Delete(kind, at)),
        1 => (kind(), number(), number())
            .prop_map(|(kind, from, to)| TreeOp::DeleteMany(kind, from.min(to), from.max(to))),
    ]
}
