//! Where the records of a batch are while it runs, and whether they stay.

use std::sync::Arc;

use muster_store::{Durability, MemoryStore, NotificationStore as _, SchemaStore as _, SqliteStore};

use super::failed;
use crate::batch::BatchStore;
use crate::cli::exit::CommandFailure;
use crate::service::DataDir;
use crate::settings::{DATABASE_FILE, Origin, Settings};

/// Where the records of this batch are.
pub(super) struct Records {
    /// Kept beyond the batch, and ours alone meanwhile; `None` keeps nothing but what runs, in memory.
    pub(super) kept: Option<DataDir>,
}

impl Records {
    /// Only the flag asks for records that stay: a data folder in the settings file or in the environment is that
    /// of the service, which may be running in it.
    pub(super) fn open(settings: &Settings) -> Result<Self, CommandFailure> {
        match settings.origin("data_dir") {
            Origin::Flag(_) => Ok(Self { kept: Some(DataDir::lock(&settings.data_dir).map_err(failed)?) }),
            Origin::Default | Origin::Adjusted(_) | Origin::File(_) | Origin::Environment(_) => {
                Ok(Self { kept: None })
            }
        }
    }

    /// What the batch records its executions in.
    pub(super) async fn store(&self) -> Result<Arc<dyn BatchStore>, CommandFailure> {
        let Some(kept) = &self.kept else { return Ok(Arc::new(MemoryStore::default())) };
        let database = kept.path().join(DATABASE_FILE);
        SqliteStore::check_after_kill(&database).await.map_err(failed)?;
        let store = SqliteStore::open(&database, Durability::Normal).await.map_err(failed)?;
        store.migrate().await.map_err(failed)?;
        store.publish_with_commit();
        Ok(Arc::new(store))
    }
}
