//! The store that keeps a before-image until its write finishes.
//!
//! SeaORM passes nothing from `before_save` to `after_save`, so the image is kept here and found again by task,
//! connection, entity and key. If an operation fails, its second hook never runs and its image stays; the store is
//! therefore bounded, in images and in bytes. An image is evicted when its scope ends, or when newer ones need the
//! space; an operation that still needs it afterwards is recorded with the old values marked unknown, never lost.
//!
//! Several images may have the same key, for two reasons that cannot be distinguished:
//!
//! - An operation failed and is tried again. Its image is stale; the newest one is valid.
//! - Two operations on one row run concurrently, in a `join!`. The row that one gets back may contain what the other
//!   wrote, too, so that both images match it.
//!
//! So an operation takes the newest matching image, which may belong to another finished operation, and marks the
//! other matching images as done. An operation whose own image has been taken takes a marked one. In this way each
//! operation is recorded once, in any order, with its own values and its own context.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;

use sea_orm::sea_query::Value;

use crate::action::Action;
use crate::config::BEFORE_IMAGES;
use crate::context::{Scope, current_scope};
use weight::weight;

/// The operation that an image belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ImageKey {
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

impl Operation {
    pub(super) const fn action(self) -> Action {
        match self {
            Self::Insert => Action::Create,
            Self::Update => Action::Update,
            Self::Delete => Action::Delete,
        }
    }
}

/// What runs an operation, from its first hook to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// A tokio task.
    Tokio(tokio::task::Id),
    /// The future passed to tokio's `block_on`, which stays on its thread.
    Thread(ThreadId),
    /// Anything on another runtime, which does not expose the running task and may move it between threads.
    Elsewhere,
}

impl Task {
    pub(super) fn current() -> Self {
        if let Some(id) = tokio::task::try_id() {
            Self::Tokio(id)
        } else if tokio::runtime::Handle::try_current().is_ok() {
            Self::Thread(std::thread::current().id())
        } else {
            Self::Elsewhere
        }
    }
}

/// The state read before a write.
pub(super) struct BeforeImage {
    /// The row, `None` if it could not be read.
    pub(super) row: Option<Row>,
    /// The values that the operation writes, by column.
    pub(super) written: Vec<Option<Value>>,
    /// The primary key: as stored if the row was read, else as the operation gave it.
    pub(super) key: Vec<Value>,
    /// Other writes may have changed the row: it is not locked, or another operation on it had an image at the same
    /// time.
    pub(super) contended: bool,
    /// The scope of the operation.
    pub(super) scope: Option<Weak<Scope>>,
    /// The row that another operation got back contained what this one wrote.
    pub(super) seen_done: bool,
    /// The handle is a transaction that the database has ended.
    pub(super) is_ended: bool,
}

impl BeforeImage {
    /// Its approximate size in memory, in bytes.
    fn weight(&self) -> usize {
        let row = match &self.row {
            Some(Row::Found(row)) => row.as_slice(),
            _ => &[],
        };
        let optional = row.iter().chain(&self.written);
        let values = optional.map(|value| value.as_ref().map_or(size_of::<Value>(), weight));
        256 + values.sum::<usize>() + self.key.iter().map(weight).sum::<usize>()
    }
}

/// The row before a write.
pub(super) enum Row {
    /// It did not exist.
    Missing,
    /// The values of the columns to compare.
    Found(Vec<Option<Value>>),
}

struct Entry {
    waiting: Arc<ImageKey>,
    scope: Option<u64>,
    weight: usize,
    image: BeforeImage,
}

/// How an image matches the row that an operation got back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchKind {
    /// The row contains what was written.
    Written,
    /// The row differs both from before and from what was written: the database changed it.
    Changed,
    /// The row is as before.
    Untouched,
}

/// The maximum number of images for one row of one connection in one task.
const PER_ROW: usize = 32;

/// The maximum size in bytes of all images; a single larger image is kept alone.
const CAPACITY_IN_BYTES: usize = 64 << 20;

pub(crate) struct Store {
    inner: Mutex<Inner>,
    capacity: AtomicUsize,
    capacity_in_bytes: usize,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// By age, the oldest first.
    entries: BTreeMap<u64, Entry>,
    /// The entries of one row, the oldest first.
    rows: HashMap<Arc<ImageKey>, Vec<u64>>,
    /// How many entries a scope has.
    scopes: HashMap<u64, usize>,
    /// The size of all entries.
    weight: usize,
    next: u64,
}

static STORE: LazyLock<Store> = LazyLock::new(|| Store::of(BEFORE_IMAGES));

pub(crate) fn store() -> &'static Store {
    &STORE
}

impl Inner {
    fn remove(&mut self, number: u64) -> Option<BeforeImage> {
        let entry = self.entries.remove(&number)?;
        self.weight -= entry.weight;
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

    fn change(&mut self, numbers: &[u64], change: impl Fn(&mut BeforeImage)) {
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

    fn of(capacity: usize) -> Self {
        Self {
            inner: Mutex::default(),
            capacity: AtomicUsize::new(capacity),
            capacity_in_bytes: CAPACITY_IN_BYTES,
            evicted: AtomicU64::new(0),
        }
    }

    /// Sets the maximum number of images from now on.
    pub(crate) fn set_capacity(&self, images: usize) {
        self.capacity.store(images, Relaxed);
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// The number of images evicted for lack of space.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Stores an image, and evicts others if space is needed.
    pub(super) fn put(&self, waiting: ImageKey, mut image: BeforeImage) {
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
        // The remaining images belong to writes that failed or were dropped.
        let ends = |scope| store().forget_scope(scope);
        let scope = (image.scope.as_ref()).and_then(|scope| Some(scope.upgrade()?.id_until(ends)));
        if let Some(scope) = scope {
            *inner.scopes.entry(scope).or_default() += 1;
        }
        let weight = image.weight();
        let entry = Entry {
            waiting,
            scope,
            weight,
            image,
        };
        inner.entries.insert(number, entry);
        inner.weight += weight;
        let capacity = self.capacity.load(Relaxed);
        while (inner.entries.len() > capacity
            || inner.weight > self.capacity_in_bytes && inner.entries.len() > 1)
            && let Some(oldest) = inner.entries.keys().next().copied()
        {
            inner.remove(oldest);
            self.evicted.fetch_add(1, Relaxed);
        }
    }

    /// Takes the image for an operation that finished.
    pub(super) fn take(
        &self,
        waiting: &ImageKey,
        fit: impl Fn(&BeforeImage) -> MatchKind,
    ) -> Option<BeforeImage> {
        let mut inner = self.lock();
        let numbers = inner.rows.get(waiting)?.clone();
        let those = |choose: &dyn Fn(&BeforeImage) -> bool| -> Vec<u64> {
            let chosen = |n: &u64| (inner.entries.get(n)).is_some_and(|entry| choose(&entry.image));
            numbers.iter().copied().filter(chosen).collect()
        };
        let done = those(&|image| fit(image) == MatchKind::Written);
        // Both hooks of an operation run in the same scope.
        let here = current_scope().map(|scope| scope.id());
        let own = (done.iter().rev())
            .find(|n| (inner.entries.get(n)).is_some_and(|entry| entry.scope == here))
            .or(done.last())
            .copied();
        if let Some(own) = own {
            inner.change(&done, |image| image.seen_done = true);
            let mut image = inner.remove(own)?;
            image.seen_done = false;
            return Some(image);
        }
        let changed = those(&|image| fit(image) == MatchKind::Changed);
        let seen = those(&|image| image.seen_done);
        let own = changed.last().or(seen.last()).or(numbers.last()).copied();
        inner.remove(own?)
    }

    /// Removes the images of a scope that ended: their operations failed or were dropped.
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

pub(super) mod weight;

#[cfg(test)]
mod tests;
