use super::*;

fn waiting(key: impl ToString) -> ImageKey {
    ImageKey {
        task: Task::current(),
        connection: 1,
        entity: TypeId::of::<()>(),
        operation: Operation::Update,
        object_id: key.to_string(),
    }
}

fn writes(value: i32) -> BeforeImage {
    BeforeImage {
        row: Some(Row::Missing),
        written: vec![Some(Value::from(value))],
        contended: false,
        scope: None,
        seen_done: false,
        is_ended: false,
        key: Vec::new(),
    }
}

impl Store {
    /// The written value of the image that is taken for a row with `values`.
    fn taken(&self, waiting: &ImageKey, values: &[i32]) -> Option<i32> {
        let fit = |image: &BeforeImage| {
            if (values.iter()).any(|value| image.written == [Some(Value::from(*value))]) {
                MatchKind::Written
            } else {
                MatchKind::Untouched
            }
        };
        match self.take(waiting, fit)?.written[..] {
            [Some(Value::Int(value))] => value,
            _ => panic!("a test writes one value"),
        }
    }
}

#[test]
fn million_failed_operations_leave_the_store_at_its_capacity() {
    let store = Store::of(100);
    for key in 0..1_000_000 {
        store.put(waiting(key), writes(1));
    }
    assert_eq!(store.len(), 100);
    assert_eq!(store.evicted(), 999_900);
    assert_eq!(store.taken(&waiting(0), &[1]), None);
    assert_eq!(store.taken(&waiting(999_999), &[1]), Some(1));
    assert_eq!(store.lock().rows.len(), 99);
}

#[test]
fn million_failures_on_one_row_leave_a_few() {
    let store = Store::of(BEFORE_IMAGES);
    for _ in 0..1_000_000 {
        store.put(waiting("same"), writes(1));
    }
    assert_eq!(store.len(), PER_ROW);
}

#[test]
fn scope_that_ends_leaves_nothing() {
    let store = Store::of(5000);
    for _ in 0..1000 {
        let scope = Scope::for_test();
        for key in 0..1000 {
            let scope = Some(Arc::downgrade(&scope));
            store.put(waiting(key), BeforeImage { scope, ..writes(1) });
        }
        store.forget_scope(scope.id());
    }
    assert_eq!(store.len(), 0);
    assert_eq!(store.evicted(), 0);
    let inner = store.lock();
    assert!(inner.rows.is_empty() && inner.scopes.is_empty());
}

#[test]
fn retry_takes_its_own_image_and_leaves_the_stale_one() {
    let store = Store::of(BEFORE_IMAGES);
    for value in [1, 1, 2] {
        store.put(waiting("k"), writes(value));
    }
    assert_eq!(store.taken(&waiting("k"), &[1]), Some(1));
    assert_eq!(store.lock().rows[&waiting("k")], [0, 2]);
}

#[test]
fn image_whose_values_the_database_changed_is_found_by_the_change() {
    let store = Store::of(BEFORE_IMAGES);
    for value in [1, 2, 3] {
        store.put(waiting("k"), writes(value));
    }
    let changed = |image: &BeforeImage| match image.written[..] {
        [Some(Value::Int(Some(2)))] => MatchKind::Changed,
        _ => MatchKind::Untouched,
    };
    let image = store.take(&waiting("k"), changed);
    assert_eq!(image.map(|image| image.written), Some(writes(2).written));
}

/// In every order of commits and ends each operation is recorded once.
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
            let store = Store::of(BEFORE_IMAGES);
            for value in values {
                store.put(waiting("k"), writes(value));
            }
            // An operation's row shows its own change and those that committed before it.
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
    let store = Store::of(BEFORE_IMAGES);
    store.put(waiting("k"), writes(1));
    for other in [
        waiting("other"),
        ImageKey {
            connection: 2,
            ..waiting("k")
        },
        ImageKey {
            operation: Operation::Delete,
            ..waiting("k")
        },
        ImageKey {
            entity: TypeId::of::<u8>(),
            ..waiting("k")
        },
    ] {
        assert_eq!(store.taken(&other, &[1]), None);
    }
    assert_eq!(store.taken(&waiting("k"), &[1]), Some(1));
}

#[test]
fn large_images_are_bounded_in_bytes() {
    let store = Store {
        capacity_in_bytes: 1 << 20,
        ..Store::of(BEFORE_IMAGES)
    };
    let large = |bytes: usize| BeforeImage {
        row: Some(Row::Found(vec![Some(Value::from("x".repeat(bytes)))])),
        ..writes(1)
    };
    for key in 0..100 {
        store.put(waiting(key), large(100_000));
    }
    assert_eq!(store.len(), 10);
    assert_eq!(store.evicted(), 90);
    assert!(store.lock().weight <= 1 << 20);
    // An operation under way keeps its own image, whatever its size.
    store.put(waiting("huge"), large(2 << 20));
    assert_eq!(store.len(), 1);
    assert_eq!(store.taken(&waiting("huge"), &[1]), Some(1));
    assert_eq!(store.lock().weight, 0);
}
