//! What a look at a Redis server tells. For `doctor`.

use std::time::Duration;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFacts {
    /// Its version; empty when it may not be asked.
    pub version: String,
    /// What it does when its memory is full; empty when it may not be asked.
    pub eviction: String,
    /// How much memory it may use; 0 means all there is.
    pub memory_max_bytes: u64,
    /// How long a PING took to be answered.
    pub round_trip: Duration,
}
