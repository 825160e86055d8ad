//! Properties of all values.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

use super::values::{of_shape, shapes, written_differently};
use crate::value::{ColumnKind, canonical_eq, decode, encode, normalize};

type TestResult = Result<(), TestCaseError>;

/// Tests a property on many values of every column kind.
fn of_all_values(property: impl Fn(&ColumnKind, Value) -> TestResult) {
    of_all(of_shape, property);
}

/// Tests a property on many pairs of every column kind: equal values in different forms, and different values.
fn of_all_pairs(property: impl Fn(&Value, &Value) -> TestResult) {
    let pairs = |shape: &ColumnKind| (of_shape(shape), of_shape(shape), any::<bool>());
    of_all(pairs, |_, (a, b, twin)| {
        let b = if twin { written_differently(&a) } else { b };
        property(&a, &b)
    });
}

/// Tests all column kinds before it reports which fail.
fn of_all<S: Strategy>(
    values: impl Fn(&ColumnKind) -> S,
    property: impl Fn(&ColumnKind, S::Value) -> TestResult,
) {
    let failures: Vec<String> = shapes()
        .iter()
        .filter_map(|shape| {
            let config = ProptestConfig {
                failure_persistence: None,
                ..ProptestConfig::default()
            };
            let tried = TestRunner::new(config).run(&values(shape), |value| property(shape, value));
            Some(format!("{shape:?}: {}", tried.err()?))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn canonical(value: &Value) -> Result<Json, TestCaseError> {
    encode(value).map_err(|error| TestCaseError::fail(error.to_string()))
}

#[test]
fn every_value_comes_back_from_its_canonical_form() {
    of_all_values(|shape, value| {
        let json = canonical(&value)?;
        let back = decode(&json, shape).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(
            canonical_eq(&value, &back),
            "{value:?} -> {json} -> {back:?}"
        );
        prop_assert_eq!(canonical(&back)?, json);
        prop_assert_eq!(
            std::mem::discriminant(&back),
            std::mem::discriminant(&value)
        );
        Ok(())
    });
}

#[test]
fn the_canonical_form_survives_being_text() {
    of_all_values(|_, value| {
        let json = canonical(&value)?;
        let text = json.to_string();
        let back: Json = serde_json::from_str(&text)
            .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(back, json, "{}", text);
        Ok(())
    });
}

#[test]
fn null_is_null_and_nothing_else_is() {
    of_all_values(|_, value| {
        let json_null = matches!(&value, Value::Json(Some(json)) if json.is_null());
        let is_null = value == value.as_null() || json_null;
        prop_assert_eq!(canonical(&value)?.is_null(), is_null);
        Ok(())
    });
}

#[test]
fn different_forms_are_equal() {
    of_all_values(|_, value| {
        let other = written_differently(&value);
        prop_assert!(canonical_eq(&value, &other), "{value:?} and {other:?}");
        prop_assert_eq!(canonical(&value)?, canonical(&other)?);
        Ok(())
    });
}

#[test]
fn sameness_is_equality_of_the_canonical_forms() {
    of_all_pairs(|a, b| {
        prop_assert!(canonical_eq(a, a), "{a:?}");
        prop_assert_eq!(
            canonical_eq(a, b),
            canonical_eq(b, a),
            "{:?} and {:?}",
            a,
            b
        );
        prop_assert_eq!(
            canonical_eq(a, b),
            canonical(a)? == canonical(b)?,
            "{:?} and {:?}",
            a,
            b
        );
        Ok(())
    });
}

#[test]
fn canonical_forms_are_normal() {
    of_all_values(|shape, value| {
        let json = canonical(&value)?;
        prop_assert_eq!(normalize(json.clone(), shape), json);
        Ok(())
    });
}
