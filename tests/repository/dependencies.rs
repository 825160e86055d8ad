//! An application gets only the dependencies of the features that it enables.

use crate::TestResult;

#[test]
fn facade_has_two_dependencies_without_features() -> TestResult {
    let manifest = std::fs::read_to_string("../Cargo.toml")?;
    let (_, after) = manifest
        .split_once("\n[dependencies]\n")
        .ok_or("no dependencies")?;
    let (list, _) = after.split_once("\n[").ok_or("no end")?;
    let always: Vec<&str> = (list.lines())
        .filter(|line| !line.is_empty() && !line.contains("optional = true"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(always, ["sea-orm-audit-core", "sea-orm"]);
    Ok(())
}
