//! Changing what is defined.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::columns::{JsonIn, column, signed};
use super::error::store_error;
use super::read::{all, count, one};
use super::session::record;
use super::transaction::PgSession;
use super::{PostgresStore, statements};
use crate::definitions::{
    ChangeRecord, ConfigRecord, DefinitionChange, DefinitionEditStore, DefinitionSession, DefinitionWrite,
    Definitions, DefinitionsWritten,
};
use crate::flow::write_definitions;
use crate::limits::session::LimitSession as _;
use crate::limits::{DeclaredWorkflow, HeldLimit, limits_column};
use crate::rows::json_column;
use crate::{ExecutionRecord, OrganizationRecord, Result, StoreError, TokenStore as _, WorkflowRecord};

#[async_trait]
impl DefinitionEditStore for PostgresStore {
    async fn definitions(&self) -> Result<Definitions> {
        // The version comes first: what changes meanwhile makes it outdated.
        Ok(Definitions {
            version: self.definition_version().await?,
            organizations: all(self, || sqlx::query(statements::ALL_ORGANIZATIONS), record::organization)
                .await?,
            workflows: all(self, || sqlx::query(statements::ALL_WORKFLOWS), record::workflow).await?,
            config: self.config_records().await?,
            schedules: all(self, || sqlx::query(statements::ALL_SCHEDULES), record::schedule).await?,
            webhooks: all(self, || sqlx::query(statements::ALL_WEBHOOKS), record::webhook).await?,
            limits: all(self, || sqlx::query(statements::LIMITS), record::limit).await?,
            tokens: self.tokens().await?,
        })
    }

    async fn config_records(&self) -> Result<Vec<ConfigRecord>> {
        all(self, || sqlx::query(statements::ALL_CONFIG), record::config).await
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
        let query = || sqlx::query(statements::CHANGES).bind(before.unwrap_or(i64::MAX)).bind(count(limit));
        all(self, query, record::change).await
    }

    async fn definition_version(&self) -> Result<i64> {
        let query = || sqlx::query(statements::DEFINITION_VERSION);
        one(self, query, |row| row.try_get("version")).await.map(Option::unwrap_or_default)
    }

    async fn definitions_changed(&self) {
        self.listen();
        self.shared.wakers.definitions.notified().await;
    }
}

impl DefinitionSession for PgSession {
    async fn version_of_definitions(&mut self) -> Result<i64> {
        version(&self.rows(sqlx::query(statements::DEFINITION_VERSION)).await?)
    }

    async fn lock_definitions(&mut self) -> Result<i64> {
        version(&self.rows(sqlx::query(statements::LOCK_DEFINITIONS)).await?)
    }

    async fn workflows_defined(&mut self) -> Result<Vec<WorkflowRecord>> {
        read(&self.rows(sqlx::query(statements::ALL_WORKFLOWS)).await?, record::workflow)
    }

    async fn organizations_defined(&mut self) -> Result<Vec<OrganizationRecord>> {
        read(&self.rows(sqlx::query(statements::ALL_ORGANIZATIONS)).await?, record::organization)
    }

    async fn workflows_declared(&mut self) -> Result<Vec<DeclaredWorkflow>> {
        read(&self.rows(sqlx::query(statements::ALL_DECLARED)).await?, record::declared)
    }

    async fn put_declared(&mut self, name: &str, terms: Option<&str>) -> Result<()> {
        let query = match terms {
            Some(terms) => sqlx::query(statements::PUT_DECLARED).bind(name.to_owned()).bind(terms.to_owned()),
            None => sqlx::query(statements::REMOVE_DECLARED).bind(name.to_owned()),
        };
        self.run(query).await
    }

    async fn put_definition(&mut self, write: &DefinitionWrite) -> Result<()> {
        put(self, write).await
    }

    async fn put_limits(&mut self, rows: &[(Uuid, Vec<HeldLimit>)]) -> Result<()> {
        let query = sqlx::query(statements::PUT_LIMITS)
            .bind(column(rows, |(id, _)| *id))
            .bind(column(rows, |(_, limits)| limits_column(limits)));
        self.run(query).await
    }

    async fn records_of(&mut self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        read(&self.rows(sqlx::query(statements::EXECUTIONS_BY_ID).bind(ids)).await?, record::execution)
    }
}

fn read<T>(rows: &[PgRow], read: fn(&PgRow) -> sqlx::Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

fn version(rows: &[PgRow]) -> Result<i64> {
    let version = rows.first().map(|row| row.try_get("version")).transpose().map_err(store_error)?;
    Ok(version.unwrap_or_default())
}

async fn put(session: &mut PgSession, write: &DefinitionWrite) -> Result<(), StoreError> {
    let remove_config = sqlx::query(statements::REMOVE_CONFIG);
    let query = match write {
        DefinitionWrite::PutOrganization(row) => sqlx::query(statements::PUT_ORGANIZATION)
            .bind(row.id)
            .bind(&row.key)
            .bind(&row.name)
            .bind(row.is_active)
            .bind(row.weight),
        DefinitionWrite::RemoveOrganization(id) => sqlx::query(statements::REMOVE_ORGANIZATION).bind(id),
        DefinitionWrite::PutWorkflow(row) => sqlx::query(statements::PUT_WORKFLOW)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.path)
            .bind(&row.function_name)
            .bind(&row.language)
            .bind(row.organization_id)
            .bind(row.timeout_seconds)
            .bind(row.max_attempts.map(signed))
            .bind(row.is_active)
            .bind(row.admission.concurrency.as_ref().and_then(|it| it.total).map(signed))
            .bind(row.admission.concurrency.as_ref().and_then(|it| it.per_key).map(signed))
            .bind(row.admission.concurrency.as_ref().map(|it| it.key.to_string()))
            .bind(row.admission.concurrency.as_ref().map(|it| it.on_full.as_str()))
            .bind(row.admission.limits.as_ref().map(json_column))
            .bind(&row.admission.queue)
            .bind(row.said_of_retries())
            .bind(&row.webhook)
            .bind(row.retention.days)
            .bind(row.retention.failed_days),
        DefinitionWrite::RemoveWorkflow(id) => sqlx::query(statements::REMOVE_WORKFLOW).bind(id),
        DefinitionWrite::PutSchedule(row) => sqlx::query(statements::PUT_SCHEDULE)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.workflow)
            .bind(row.organization_id)
            .bind(&row.cron)
            .bind(&row.time_zone)
            .bind(&row.queue)
            .bind(row.parameters.as_ref().map(|json| json.get()))
            .bind(&row.overlap)
            .bind(&row.missed)
            .bind(i64::from(row.missed_seconds))
            .bind(i64::from(row.jitter_seconds))
            .bind(row.is_paused),
        DefinitionWrite::RemoveSchedule(id) => sqlx::query(statements::REMOVE_SCHEDULE).bind(id),
        DefinitionWrite::PutWebhook(row) => sqlx::query(statements::PUT_WEBHOOK)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.url)
            .bind(row.events.as_ref().map(|json| json.get()))
            .bind(row.workflows.as_ref().map(|json| json.get()))
            .bind(row.is_paused),
        DefinitionWrite::RemoveWebhook(id) => {
            session.run(sqlx::query(statements::REMOVE_DELIVERIES).bind(id)).await?;
            sqlx::query(statements::REMOVE_WEBHOOK).bind(id)
        }
        DefinitionWrite::PutLimit { name, terms } => {
            return session.set_limit(name, terms, "set").await.map(drop);
        }
        DefinitionWrite::RemoveLimit(name) => return session.remove_limit(name).await.map(drop),
        DefinitionWrite::PutConfig(row) => {
            session.run(remove_config.bind(row.organization_id).bind(&row.key)).await?;
            let insert = sqlx::query(statements::INSERT_CONFIG).bind(row.organization_id).bind(&row.key);
            insert.bind(JsonIn(row.value.get())).bind(row.is_secret).bind(&row.key_id)
        }
        DefinitionWrite::RemoveConfig { organization_id, key } => {
            remove_config.bind(organization_id).bind(key)
        }
    };
    session.run(query).await
}
