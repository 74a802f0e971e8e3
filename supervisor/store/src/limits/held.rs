//! A limit that one execution must have room in, and how it lies in a column.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A limit that an execution must have room in before it starts, and holds until its outcome is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct HeldLimit {
    /// The name of the limit.
    pub name: String,
    /// For whom it counts there, as it was when the row was written: the organization, or whatever the limit counts by.
    pub key: String,
}

/// The limits of a row. What cannot be read, because somebody wrote it by hand, holds nothing back.
pub(crate) fn held_limits(column: Option<&str>) -> Vec<HeldLimit> {
    column.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The same as a column: nothing for no limits.
pub(crate) fn limits_column(limits: &[HeldLimit]) -> Option<String> {
    // Text in a list has no way to fail.
    (!limits.is_empty()).then(|| serde_json::to_string(limits).unwrap_or_default())
}
