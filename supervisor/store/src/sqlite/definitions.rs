//! Reading what a run needs to know, and the state that runs share.

use async_trait::async_trait;
use serde_json::value::RawValue;
use sqlx::Row as _;
use uuid::Uuid;

use super::read::{all, one};
use super::session::record;
use super::{SqliteStore, statements};
use crate::columns::JsonColumn;
use crate::{ConfigEntry, DefinitionStore, OrganizationRecord, Result, StateStore, WorkflowRecord};

pub(super) fn text(id: Option<Uuid>) -> Option<String> {
    id.map(|id| id.to_string())
}

#[async_trait]
impl DefinitionStore for SqliteStore {
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        one(self, sqlx::query(statements::WORKFLOW).bind(id.to_string()), record::workflow).await
    }

    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>> {
        let query = sqlx::query(statements::WORKFLOW_NAMED).bind(name).bind(text(organization_id));
        one(self, query, record::workflow).await
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        one(self, sqlx::query(statements::ORGANIZATION).bind(id.to_string()), record::organization).await
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        all(self, sqlx::query(statements::CONFIG).bind(text(organization_id)), record::config_entry).await
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>> {
        let query = sqlx::query(statements::STATE).bind(text(organization_id)).bind(key);
        one(self, query, |row| row.try_get::<JsonColumn, _>("value").map(|json| json.0)).await
    }
}
