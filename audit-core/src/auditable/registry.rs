//! The registry of audited entities.

use super::EntityInfo;

/// A derive's entry in the registry.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub fn() -> &'static EntityInfo);

inventory::collect!(Registration);

/// All audited entities of the crates that the binary names.
pub fn audited_entities() -> impl Iterator<Item = &'static EntityInfo> {
    inventory::iter::<Registration>().map(|registration| registration.0())
}
