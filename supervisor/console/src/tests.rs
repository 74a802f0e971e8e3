//! A pool for the tests of those who show one.

use muster_api::PoolView;

/// A pool with one busy and one idle worker, as a supervisor shows it.
pub(crate) fn pool() -> PoolView {
    serde_json::from_str(include_str!("../../api/testing/pool.json")).unwrap()
}
