//! The store in which a before-image waits for its write to finish.
//!
//! SeaORM hands nothing from `before_save` to `after_save`, so the image is kept here, found again
//! by task, connection, entity and key. When an operation fails, its second hook never runs and its
//! image stays; the store is therefore bounded. An image is given up when its scope ends, or when
//! newer ones need the room; an operation that still wants it afterwards is recorded with the old
//! values marked unknown, never lost.
//!
//! Several images may wait under one name: two updates of one row in a `join!`, or a failed one and
//! its retry. The newest whose written values are those of the row now is the one; see [`take`].
//!
//! [`take`]: Store::take

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use sea_orm::sea_query::Value;

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
    /// Another operation on the same row was under way at the same time.
    pub(super) contended: bool,
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

    fn mark_contended(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(entry) = self.entries.get_mut(number) {
                entry.image.contended = true;
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
    pub(super) fn put(
        &self,
        capacity: usize,
        waiting: Waiting,
        scope: Option<u64>,
        mut image: Image,
    ) {
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
            inner.mark_contended(&others);
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

    /// Takes the image of an operation that finished: the newest that `fits`, else the newest.
    pub(super) fn take(&self, waiting: &Waiting, fits: impl Fn(&Image) -> bool) -> Option<Image> {
        let mut inner = self.lock();
        let numbers = inner.rows.get(waiting)?;
        let fitting = numbers
            .iter()
            .rev()
            .find(|number| (inner.entries.get(number)).is_some_and(|entry| fits(&entry.image)));
        let number = *fitting.or_else(|| numbers.last())?;
        inner.remove(number)
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
        }
    }

    fn is(value: i32) -> impl Fn(&Image) -> bool {
        move |image| image.written == [Some(Value::from(value))]
    }

    #[test]
    fn a_million_failed_operations_leave_the_store_at_its_capacity() {
        let store = Store::default();
        for key in 0..1_000_000 {
            store.put(100, waiting(key), None, writes(1));
        }
        assert_eq!(store.len(), 100);
        assert_eq!(store.evicted(), 999_900);
        assert!(store.take(&waiting(0), is(1)).is_none());
        assert!(store.take(&waiting(999_999), is(1)).is_some());
        assert_eq!(store.lock().rows.len(), 99);
    }

    #[test]
    fn a_million_failures_on_one_row_leave_a_few() {
        let store = Store::default();
        for _ in 0..1_000_000 {
            store.put(1000, waiting("same"), None, writes(1));
        }
        assert_eq!(store.len(), PER_ROW);
    }

    #[test]
    fn a_scope_that_ends_leaves_nothing() {
        let store = Store::default();
        for scope in 1..=1000 {
            for key in 0..1000 {
                store.put(5000, waiting(key), Some(scope), writes(1));
            }
            store.forget_scope(scope);
        }
        assert_eq!(store.len(), 0);
        assert_eq!(store.evicted(), 0);
        let inner = store.lock();
        assert!(inner.rows.is_empty() && inner.scopes.is_empty());
    }

    #[test]
    fn the_newest_image_that_fits_the_row_is_taken() {
        let store = Store::default();
        for value in [1, 2, 1] {
            store.put(10, waiting("k"), None, writes(value));
        }
        let take = |value| {
            store
                .take(&waiting("k"), is(value))
                .map(|image| image.written)
        };
        assert_eq!(take(2), Some(vec![Some(Value::from(2))]));
        assert_eq!(take(3), Some(vec![Some(Value::from(1))]));
        assert_eq!(store.len(), 1);
        assert!(
            store
                .take(&waiting("k"), is(1))
                .is_some_and(|image| image.contended)
        );
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn another_connection_operation_or_row_has_its_own_images() {
        let store = Store::default();
        store.put(10, waiting("k"), None, writes(1));
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
            assert!(store.take(&other, is(1)).is_none());
        }
        assert!(store.take(&waiting("k"), is(1)).is_some());
    }
}
