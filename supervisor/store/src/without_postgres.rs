//! Stands where the PostgreSQL adapter would be in a build without it: whoever asks for one is told.

use std::sync::Arc;

use super::{Result, Store, StoreError};

/// A store at a `postgres://` URL.
///
/// # Errors
/// Always: this build has none.
pub fn open_postgres(_url: &str) -> Result<Arc<dyn Store>> {
    Err(StoreError::NotBuilt)
}
