//! What the log costs without the database.
//!
//! Goal: the changes of a row of 12 columns, 2 of them changed, in less than 2 µs.
#![allow(missing_docs, unreachable_pub)]

mod cores;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sea_orm_audit_core::encode;

use cores::row;

fn all(criterion: &mut Criterion) {
    for (name, mut core) in cores::cores() {
        criterion.bench_function(name, |bencher| bencher.iter(&mut core));
    }
}

fn encoding(criterion: &mut Criterion) {
    let row = row("On the record", 0);
    let mut group = criterion.benchmark_group("encode");
    for (name, at) in [
        ("integer", 0),
        ("uuid", 1),
        ("short text", 3),
        ("900 characters", 4),
        ("float", 6),
        ("JSON", 8),
        ("date-time", 10),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| encode(black_box(&row[at]))));
    }
    group.finish();
}

criterion_group!(benches, all, encoding);
criterion_main!(benches);
