//! Secrets as the record has them: which of them are locked, and definitions that are opened as they are read.
//!
//! The keys themselves, and what is done with them, are those of the settings.

use std::sync::Arc;

use async_trait::async_trait;
use muster_settings::webhook_key::KEY_PREFIX;
use muster_store::{
    ConfigEntry, ConfigRecord, DefinitionStore, OrganizationRecord, Result, StoreError, WorkflowRecord,
};
use uuid::Uuid;

pub use muster_settings::secret_keys::{SealedSecret, SecretKeyError, SecretKeys};

/// The secrets among these that none of the keys opens.
pub fn locked_secrets<'a>(keys: &SecretKeys, config: &'a [ConfigRecord]) -> Vec<&'a ConfigRecord> {
    let is_locked = |row: &&ConfigRecord| row.key_id.as_deref().is_some_and(|key_id| !keys.has(key_id));
    config.iter().filter(|row| row.is_secret).filter(is_locked).collect()
}

/// What deliveries of webhooks are signed with is no run's business.
pub(crate) fn is_for_executions(is_secret: bool, key: &str) -> bool {
    !(is_secret && key.starts_with(KEY_PREFIX))
}

/// Definitions whose secrets are opened as they are read. Those in clear from before are read as they are.
#[derive(Debug)]
pub struct OpenedDefinitions {
    store: Arc<dyn DefinitionStore>,
    keys: Arc<SecretKeys>,
}

impl OpenedDefinitions {
    /// What this store has, opened with these keys.
    pub fn new(store: Arc<dyn DefinitionStore>, keys: Arc<SecretKeys>) -> Self {
        Self { store, keys }
    }
}

#[async_trait]
impl DefinitionStore for OpenedDefinitions {
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        self.store.workflow(id).await
    }

    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>> {
        self.store.workflow_named(name, organization_id).await
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        self.store.organization(id).await
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        let open = |entry: ConfigEntry| match &entry.key_id {
            None => Ok(entry),
            Some(key_id) => {
                let opened = self.keys.open(entry.organization_id, &entry.key, key_id, &entry.value);
                let value = opened.map_err(|error| StoreError::Incompatible {
                    backend: "configuration",
                    message: error.to_string(),
                })?;
                Ok(ConfigEntry { value, key_id: None, ..entry })
            }
        };
        let entries = self.store.config(organization_id).await?.into_iter();
        entries.filter(|entry| is_for_executions(entry.is_secret, &entry.key)).map(open).collect()
    }
}
