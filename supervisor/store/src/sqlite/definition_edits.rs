//! Changing what is defined.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use uuid::Uuid;

use super::definitions::text;
use super::error::store_error;
use super::read::{all, count, one};
use super::rows::{WriteRow, write_query};
use super::session::{SqliteSession, array, record, written};
use super::{SqliteStore, statements};
use crate::definitions::{
    ChangeRecord, ConfigRecord, DefinitionChange, DefinitionEditStore, DefinitionSession, DefinitionWrite,
    Definitions, DefinitionsWritten,
};
use crate::flow::write_definitions;
use crate::limits::session::LimitSession as _;
use crate::limits::{DeclaredWorkflow, HeldLimit, limits_column};
use crate::rows::json_column;
use crate::{ExecutionRecord, OrganizationRecord, Result, TokenStore as _, WorkflowRecord};

/// How long a change by hand may go unseen.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

#[async_trait]
impl DefinitionEditStore for SqliteStore {
    async fn definitions(&self) -> Result<Definitions> {
        // The version comes first: what changes meanwhile makes it outdated.
        Ok(Definitions {
            version: self.definition_version().await?,
            organizations: all(self, sqlx::query(statements::ALL_ORGANIZATIONS), record::organization)
                .await?,
            workflows: all(self, sqlx::query(statements::ALL_WORKFLOWS), record::workflow).await?,
            config: self.config_records().await?,
            schedules: all(self, sqlx::query(statements::ALL_SCHEDULES), record::schedule).await?,
            webhooks: all(self, sqlx::query(statements::ALL_WEBHOOKS), record::webhook).await?,
            limits: all(self, sqlx::query(statements::LIMITS), record::limit).await?,
            tokens: self.tokens().await?,
        })
    }

    async fn config_records(&self) -> Result<Vec<ConfigRecord>> {
        all(self, sqlx::query(statements::ALL_CONFIG), record::config).await
    }

    async fn write_definitions(
        &self,
        version: i64,
        who: &str,
        changes: &[DefinitionChange],
    ) -> Result<DefinitionsWritten> {
        write_definitions(self, version, who, changes).await
    }

    async fn changes(&self, before: Option<i64>, limit: usize) -> Result<Vec<ChangeRecord>> {
        let query = sqlx::query(statements::CHANGES).bind(before.unwrap_or(i64::MAX)).bind(count(limit));
        all(self, query, record::change).await
    }

    async fn definition_version(&self) -> Result<i64> {
        let query = sqlx::query(statements::DEFINITION_VERSION);
        one(self, query, |row| row.try_get("version")).await.map(Option::unwrap_or_default)
    }

    async fn definitions_changed(&self) {
        // What somebody changes in the file by hand tells nobody.
        let _ = tokio::time::timeout(LOOKED_AT_EVERY, self.definition_waker.notified()).await;
    }
}

impl DefinitionSession for SqliteSession {
    async fn version_of_definitions(&mut self) -> Result<i64> {
        let rows = self.rows(write_query(statements::DEFINITION_VERSION)).await?;
        let version = rows.first().map(|row| row.try_get("version")).transpose().map_err(store_error)?;
        Ok(version.unwrap_or_default())
    }

    /// A transaction has all of the file.
    async fn lock_definitions(&mut self) -> Result<i64> {
        self.version_of_definitions().await
    }

    async fn workflows_defined(&mut self) -> Result<Vec<WorkflowRecord>> {
        read(&self.rows(write_query(statements::ALL_WORKFLOWS)).await?, written::workflow)
    }

    async fn organizations_defined(&mut self) -> Result<Vec<OrganizationRecord>> {
        read(&self.rows(write_query(statements::ALL_ORGANIZATIONS)).await?, written::organization)
    }

    async fn workflows_declared(&mut self) -> Result<Vec<DeclaredWorkflow>> {
        read(&self.rows(write_query(statements::ALL_DECLARED)).await?, written::declared)
    }

    async fn put_declared(&mut self, name: &str, terms: Option<&str>) -> Result<()> {
        let query = match terms {
            Some(terms) => write_query(statements::PUT_DECLARED).bind(name.to_owned()).bind(terms.to_owned()),
            None => write_query(statements::REMOVE_DECLARED).bind(name.to_owned()),
        };
        self.run(query).await
    }

    async fn put_definition(&mut self, write: &DefinitionWrite) -> Result<()> {
        put(self, write).await
    }

    async fn put_limits(&mut self, rows: &[(Uuid, Vec<HeldLimit>)]) -> Result<()> {
        let rows: Vec<_> = rows.iter().map(|(id, limits)| (id, limits_column(limits))).collect();
        self.run(write_query(statements::PUT_LIMITS).bind(array(&rows)?)).await
    }

    async fn records_of(&mut self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        let query = write_query(statements::EXECUTIONS_BY_ID).bind(array(ids)?);
        read(&self.rows(query).await?, written::execution)
    }
}

fn read<T>(rows: &[WriteRow], read: fn(&WriteRow) -> sqlx::Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

async fn put(session: &mut SqliteSession, write: &DefinitionWrite) -> Result<()> {
    let remove_config = write_query(statements::REMOVE_CONFIG);
    let query = match write {
        DefinitionWrite::PutOrganization(row) => write_query(statements::PUT_ORGANIZATION)
            .bind(row.id.to_string())
            .bind(&row.key)
            .bind(&row.name)
            .bind(row.is_active)
            .bind(row.weight),
        DefinitionWrite::RemoveOrganization(id) => {
            write_query(statements::REMOVE_ORGANIZATION).bind(id.to_string())
        }
        DefinitionWrite::PutWorkflow(row) => write_query(statements::PUT_WORKFLOW)
            .bind(row.id.to_string())
            .bind(&row.name)
            .bind(&row.path)
            .bind(&row.function_name)
            .bind(&row.language)
            .bind(text(row.organization_id))
            .bind(row.timeout_seconds)
            .bind(row.max_attempts)
            .bind(row.is_active)
            .bind(row.admission.concurrency.as_ref().and_then(|it| it.total))
            .bind(row.admission.concurrency.as_ref().and_then(|it| it.per_key))
            .bind(row.admission.concurrency.as_ref().map(|it| it.key.to_string()))
            .bind(row.admission.concurrency.as_ref().map(|it| it.on_full.as_str()))
            .bind(row.admission.limits.as_ref().map(json_column))
            .bind(&row.admission.queue)
            .bind(row.said_of_retries())
            .bind(&row.webhook)
            .bind(row.retention.days)
            .bind(row.retention.failed_days),
        DefinitionWrite::RemoveWorkflow(id) => write_query(statements::REMOVE_WORKFLOW).bind(id.to_string()),
        DefinitionWrite::PutSchedule(row) => write_query(statements::PUT_SCHEDULE)
            .bind(row.id.to_string())
            .bind(&row.name)
            .bind(&row.workflow)
            .bind(text(row.organization_id))
            .bind(&row.cron)
            .bind(&row.time_zone)
            .bind(&row.queue)
            .bind(row.parameters.as_ref().map(|json| json.get()))
            .bind(&row.overlap)
            .bind(&row.missed)
            .bind(i64::from(row.missed_seconds))
            .bind(i64::from(row.jitter_seconds))
            .bind(row.is_paused),
        DefinitionWrite::RemoveSchedule(id) => write_query(statements::REMOVE_SCHEDULE).bind(id.to_string()),
        DefinitionWrite::PutWebhook(row) => write_query(statements::PUT_WEBHOOK)
            .bind(row.id.to_string())
            .bind(&row.name)
            .bind(&row.url)
            .bind(row.events.as_ref().map(|json| json.get()))
            .bind(row.workflows.as_ref().map(|json| json.get()))
            .bind(row.is_paused),
        DefinitionWrite::RemoveWebhook(id) => {
            session.run(write_query(statements::REMOVE_DELIVERIES).bind(id.to_string())).await?;
            write_query(statements::REMOVE_WEBHOOK).bind(id.to_string())
        }
        DefinitionWrite::PutLimit { name, terms } => {
            return session.set_limit(name, terms, "set").await.map(drop);
        }
        DefinitionWrite::RemoveLimit(name) => return session.remove_limit(name).await.map(drop),
        DefinitionWrite::PutConfig(row) => {
            session.run(remove_config.bind(text(row.organization_id)).bind(&row.key)).await?;
            let insert =
                write_query(statements::INSERT_CONFIG).bind(text(row.organization_id)).bind(&row.key);
            insert.bind(row.value.get()).bind(row.is_secret).bind(&row.key_id)
        }
        DefinitionWrite::RemoveConfig { organization_id, key } => {
            remove_config.bind(text(*organization_id)).bind(key)
        }
    };
    session.run(query).await
}
