//! Opening the three backends the settings name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_bus::{Bus, BusError};
use muster_store::{Durability, SqliteStore, Store, StoreError, open_postgres};
use secrecy::ExposeSecret;

use crate::settings::Settings;

/// A store, and whether other supervisors may share it.
#[derive(Debug)]
pub struct OpenStore {
    /// The store that was opened.
    pub store: Arc<dyn Store>,
    /// The file, when it is one: then nobody else may have it open.
    pub file: Option<PathBuf>,
}

/// A setting that names a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The setting `database_url` has a scheme that no store has.
    #[error("database_url must begin with postgres:// or sqlite://")]
    DatabaseUrl,
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus cannot be set up.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Opens the store of the settings. A server that does not answer is an error here; the caller tries again.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_store(settings: &Settings, durability: Durability) -> Result<OpenStore, BackendError> {
    let url = settings.database_url.expose_secret();
    if let Some(path) = sqlite_path(url) {
        let store = Arc::new(SqliteStore::open(path, durability).await?);
        return Ok(OpenStore { store, file: Some(path.to_owned()) });
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(OpenStore { store: open_postgres(&settings.server(&settings.database_url))?, file: None });
    }
    Err(BackendError::DatabaseUrl)
}

/// The file of a SQLite URL, or `None` when it is another database's.
pub fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    Some(Path::new(path.split('?').next().unwrap_or(path)))
}

/// Opens the bus of the settings.
///
/// # Errors
/// When its URL cannot be used.
pub fn open_bus(settings: &Settings) -> Result<Bus, BackendError> {
    Ok(match &settings.redis_url {
        Some(url) => Bus::redis(settings.server(url), &settings.key_prefix)?,
        None => Bus::in_process(&settings.key_prefix),
    })
}
