//! The store in which a before-image waits for its write to finish.
//!
//! SeaORM hands nothing from `before_save` to `after_save`, so the image is kept here, found again
//! by task, connection, entity and key. When an operation fails, its second hook never runs and its
//! image stays; the store is therefore bounded. An image is given up when its scope ends, or when
//! newer ones need the room; an operation that still wants it afterwards is recorded with the old
//! values marked unknown, never lost.
//!
//! Several images may wait under one name, for two reasons that look alike:
//!
//! - An operation failed and is tried again. Its image is stale; the newest is the one.
//! - Two operations on one row are under way at once, in a `join!`. The row that the one gets back
//!   may hold what the other wrote, too, so that both images fit it.
//!
//! So an operation takes the newest image that fits, which may be another's that is done as well, and
//! the others that fit are marked as done. An operation that finds its own image taken takes one that
//! is marked. That way each operation is recorded once, whatever the order, with its own values and
//! its own context.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;

use sea_orm::sea_query::Value;

use crate::context::Scope;

/// Which operation an image waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Waiting {
    pub(super) task: Task,
    /// The address of the connection, which the two hooks of one operation share.
    pub(super) connection: usize,
    pub(super) entity: TypeId,
    pub(super) operation: Operation,
    pub(super) object_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Insert,
    Update,
    Delete,
}

/// A tokio task, or outside of any the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Task {
    Tokio(tokio::task::Id),
    Thread(ThreadId),
}

impl Task {
    pub(super) fn current() -> Self {
        match tokio::task::try_id() {
            Some(id) => Self::Tokio(id),
            None => Self::Thread(std::thread::current().id()),
        }
    }
}

/// What was seen before a write.
pub(super) struct Image {
    /// The row, `None` where it could not be read.
    pub(super) row: Option<Row>,
    /// The values that the operation writes, by column.
    pub(super) written: Vec<Option<Value>>,
    /// Another operation on the same row was waiting at the same time.
    pub(super) contended: bool,
    /// The scope that the operation runs in.
    pub(super) scope: Option<Weak<Scope>>,
    /// The row that another operation got back showed what this one wrote.
    pub(super) seen_done: bool,
}

/// The row before a write.
pub(super) enum Row {
    /// It did not exist.
    Missing,
    /// The values of the columns that will be compared.
    Found(Vec<Option<Value>>),
}

struct Entry {
    waiting: Arc<Waiting>,
    scope: Option<u64>,
    image: Image,
}

/// How an image goes with the row that an operation got back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The row holds what was written.
    Written,
    /// The row holds something else than before, and than what was written: the database made
    /// something of it.
    Changed,
    /// The row holds what it held before.
    Untouched,
}

/// At most this many images wait for one row of one connection in one task.
const PER_ROW: usize = 32;

#[derive(Default)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// By age, the oldest first.
    entries: BTreeMap<u64, Entry>,
    /// The entries of one row, the oldest first.
    rows: HashMap<Arc<Waiting>, Vec<u64>>,
    /// How many entries a scope has.
    scopes: HashMap<u64, usize>,
    next: u64,
}

static STORE: LazyLock<Store> = LazyLock::new(Store::default);

pub(crate) fn store() -> &'static Store {
    &STORE
}

impl Inner {
    fn remove(&mut self, number: u64) -> Option<Image> {
        let entry = self.entries.remove(&number)?;
        if let Some(numbers) = self.rows.get_mut(&entry.waiting) {
            numbers.retain(|n| *n != number);
            if numbers.is_empty() {
                self.rows.remove(&entry.waiting);
            }
        }
        if let Some(scope) = entry.scope
            && let Some(count) = self.scopes.get_mut(&scope)
        {
            *count -= 1;
            if *count == 0 {
                self.scopes.remove(&scope);
            }
        }
        Some(entry.image)
    }

    fn change(&mut self, numbers: &[u64], change: impl Fn(&mut Image)) {
        for number in numbers {
            if let Some(entry) = self.entries.get_mut(number) {
                change(&mut entry.image);
            }
        }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many images wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// How many images were given up for lack of room.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Lets an image wait, and makes room for it.
    pub(super) fn put(&self, capacity: usize, waiting: Waiting, mut image: Image) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let number = inner.next;
        inner.next += 1;

        let waiting = match inner.rows.get_key_value(&waiting) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(waiting),
        };
        let others = inner.rows.get(&waiting).cloned().unwrap_or_default();
        if !others.is_empty() {
            image.contended = true;
            inner.change(&others, |image| image.contended = true);
        }
        if others.len() >= PER_ROW {
            inner.remove(others[0]);
            self.evicted.fetch_add(1, Relaxed);
        }
        inner
            .rows
            .entry(Arc::clone(&waiting))
            .or_default()
            .push(number);
        let scope = (image.scope.as_ref()).and_then(|scope| Some(scope.upgrade()?.id()));
        if let Some(scope) = scope {
            *inner.scopes.entry(scope).or_default() += 1;
        }
        let entry = Entry {
            waiting,
            scope,
            image,
        };
        inner.entries.insert(number, entry);
        while inner.entries.len() > capacity
            && let Some(oldest) = inner.entries.keys().next().copied()
        {
            inner.remove(oldest);
            self.evicted.fetch_add(1, Relaxed);
        }
    }

    /// Takes the image for an operation that finished.
    pub(super) fn take(&self, waiting: &Waiting, fit: impl Fn(&Image) -> Fit) -> Option<Image> {
        let mut inner = self.lock();
        let numbers = inner.rows.get(waiting)?.clone();
        let those = |choose: &dyn Fn(&Image) -> bool| -> Vec<u64> {
            let chosen = |n: &u64| (inner.entries.get(n)).is_some_and(|entry| choose(&entry.image));
            numbers.iter().copied().filter(chosen).collect()
        };
        let done = those(&|image| fit(image) == Fit::Written);
        if let Some((own, others)) = done.split_last() {
            inner.change(others, |image| image.seen_done = true);
            return inner.remove(*own);
        }
        let changed = those(&|image| fit(image) == Fit::Changed);
        let seen = those(&|image| image.seen_done);
        let own = changed.last().or(seen.last()).or(numbers.last()).copied();
        inner.remove(own?)
    }

    /// Gives up the images of a scope that ended: their operations failed or were dropped.
    pub(crate) fn forget_scope(&self, scope: u64) {
        let mut inner = self.lock();
        if !inner.scopes.contains_key(&scope) {
            return;
        }
        let numbers: Vec<u64> = inner
            .entries
            .iter()
            .filter(|(_, entry)| entry.scope == Some(scope))
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            inner.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(key: impl ToString) -> Waiting {
        Waiting {
            task: Task::current(),
            connection: 1,
            entity: TypeId::of::<()>(),
            operation: Operation::Update,
            object_id: key.to_string(),
        }
    }

    fn writes(value: i32) -> Image {
        Image {
            row: Some(Row::Missing),
            written: vec![Some(Value::from(value))],
            contended: false,
            scope: None,
            seen_done: false,
        }
    }

    impl Store {
        /// The value written by what is taken for a row that shows `values`.
        fn taken(&self, waiting: &Waiting, values: &[i32]) -> Option<i32> {
            let fit = |image: &Image| {
                if (values.iter()).any(|value| image.written == [Some(Value::from(*value))]) {
                    Fit::Written
                } else {
                    Fit::Untouched
                }
            };
            match self.take(waiting, fit)?.written[..] {
                [Some(Value::Int(value))] => value,
                _ => panic!("a test writes one value"),
            }
        }
    }

    #[test]
    fn a_million_failed_operations_leave_the_store_at_its_capacity() {
        let store = Store::default();
        for key in 0..1_000_000 {
            store.put(100, waiting(key), writes(1));
        }
        assert_eq!(store.len(), 100);
        assert_eq!(store.evicted(), 999_900);
        assert_eq!(store.taken(&waiting(0), &[1]), None);
        assert_eq!(store.taken(&waiting(999_999), &[1]), Some(1));
        assert_eq!(store.lock().rows.len(), 99);
    }

    #[test]
    fn a_million_failures_on_one_row_leave_a_few() {
        let store = Store::default();
        for _ in 0..1_000_000 {
            store.put(1000, waiting("same"), writes(1));
        }
        assert_eq!(store.len(), PER_ROW);
    }

    #[test]
    fn a_scope_that_ends_leaves_nothing() {
        let store = Store::default();
        for _ in 0..1000 {
            let scope = Arc::new(Scope::for_test());
            for key in 0..1000 {
                let scope = Some(Arc::downgrade(&scope));
                store.put(5000, waiting(key), Image { scope, ..writes(1) });
            }
            store.forget_scope(scope.id());
        }
        assert_eq!(store.len(), 0);
        assert_eq!(store.evicted(), 0);
        let inner = store.lock();
        assert!(inner.rows.is_empty() && inner.scopes.is_empty());
    }

    #[test]
    fn a_retry_takes_its_own_image_and_leaves_the_stale_one() {
        let store = Store::default();
        for value in [1, 1, 2] {
            store.put(10, waiting("k"), writes(value));
        }
        assert_eq!(store.taken(&waiting("k"), &[1]), Some(1));
        assert_eq!(store.lock().rows[&waiting("k")], [0, 2]);
    }

    #[test]
    fn an_image_whose_values_the_database_changed_is_found_by_the_change() {
        let store = Store::default();
        for value in [1, 2, 3] {
            store.put(10, waiting("k"), writes(value));
        }
        let changed = |image: &Image| match image.written[..] {
            [Some(Value::Int(Some(2)))] => Fit::Changed,
            _ => Fit::Untouched,
        };
        let image = store.take(&waiting("k"), changed);
        assert_eq!(image.map(|image| image.written), Some(writes(2).written));
    }

    /// Whoever commits first, whoever finishes first: each is recorded once.
    #[test]
    fn operations_at_once_are_each_recorded_once_in_every_order() {
        const ORDERS: [[usize; 3]; 6] = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        let values = [1, 2, 3];
        for committed in ORDERS.map(|order| order.map(|at| values[at])) {
            for finished in ORDERS {
                let store = Store::default();
                for value in values {
                    store.put(10, waiting("k"), writes(value));
                }
                // The row of an operation shows itself and those that committed before it.
                let mut recorded: Vec<_> = (finished.into_iter())
                    .filter_map(|at| store.taken(&waiting("k"), &committed[..=at]))
                    .collect();
                recorded.sort_unstable();
                assert_eq!(recorded, values, "{committed:?} {finished:?}");
                assert_eq!(store.len(), 0);
            }
        }
    }

    #[test]
    fn another_connection_operation_or_row_has_its_own_images() {
        let store = Store::default();
        store.put(10, waiting("k"), writes(1));
        for other in [
            waiting("other"),
            Waiting {
                connection: 2,
                ..waiting("k")
            },
            Waiting {
                operation: Operation::Delete,
                ..waiting("k")
            },
            Waiting {
                entity: TypeId::of::<u8>(),
                ..waiting("k")
            },
        ] {
            assert_eq!(store.taken(&other, &[1]), None);
        }
        assert_eq!(store.taken(&waiting("k"), &[1]), Some(1));
    }
}
