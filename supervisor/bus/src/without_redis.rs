//! Stands where the Redis adapter would be in a build without it: whoever asks for one is told.

use std::sync::Arc;

use muster_system::certificates::ServerAddress;

use super::transport::Transport;
use super::{BusError, Names, RedisFacts};

pub(super) fn open(_address: &ServerAddress, _names: &Names) -> Result<Arc<dyn Transport>, BusError> {
    Err(BusError::NotBuilt)
}

/// Looks at a Redis server.
///
/// # Errors
/// Always: this build has nothing to look with.
pub async fn inspect(_address: &ServerAddress, _prefix: &str) -> Result<RedisFacts, BusError> {
    Err(BusError::NotBuilt)
}
