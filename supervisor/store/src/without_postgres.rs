//! Stands where the PostgreSQL adapter would be in a build without it: whoever asks for one is told.

use std::sync::Arc;

use muster_system::certificates::ServerAddress;

use super::{Result, Store, StoreError};

/// A store at a `postgres://` URL.
///
/// # Errors
/// Always: this build has none.
pub fn open_postgres(_address: &ServerAddress) -> Result<Arc<dyn Store>> {
    Err(StoreError::NotBuilt)
}
