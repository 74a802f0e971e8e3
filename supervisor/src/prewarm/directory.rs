//! The few things prewarming reads from the store.

use std::sync::Arc;

use async_trait::async_trait;
use muster_store::{ConfigEntry, OrganizationRecord, Result, Store, WorkflowRecord};
use uuid::Uuid;

/// See the methods of the same names of [`Store`].
#[async_trait]
pub(super) trait Directory: std::fmt::Debug + Send + Sync {
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>>;
    async fn workflow_named(&self, name: &str, caller: Option<Uuid>) -> Result<Option<WorkflowRecord>>;
    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>>;
    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>>;
}

/// The directory that a store holds.
#[derive(Debug)]
pub(super) struct StoreDirectory(pub(super) Arc<dyn Store>);

#[async_trait]
impl Directory for StoreDirectory {
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        self.0.workflow(id).await
    }

    async fn workflow_named(&self, name: &str, caller: Option<Uuid>) -> Result<Option<WorkflowRecord>> {
        self.0.workflow_named(name, caller).await
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        self.0.organization(id).await
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        self.0.config(organization_id).await
    }
}
