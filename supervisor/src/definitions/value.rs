//! Whether two values of configuration are the same: a database may have spelled one in its own way.

use serde_json::value::RawValue;

/// Whether both texts are the same JSON, whatever blanks and order they have.
pub(super) fn is_same(left: &RawValue, right: &RawValue) -> bool {
    let tree = |value: &RawValue| serde_json::from_str::<serde_json::Value>(value.get()).ok();
    left.get() == right.get() || tree(left).is_some_and(|left| tree(right) == Some(left))
}
