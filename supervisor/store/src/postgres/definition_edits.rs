//! Changing what is defined.

use async_trait::async_trait;
use sqlx::Row as _;

use super::columns::{JsonIn, signed};
use super::error::store_error;
use super::read::{all, count, one};
use super::session::record;
use super::transaction::PgSession;
use super::{PLANS_MAX, PostgresStore, statements};
use crate::definitions::{
    ChangeRecord, DefinitionChange, DefinitionEditStore, DefinitionWrite, Definitions, DefinitionsWritten,
};
use crate::flow::again;
use crate::pauses::{NotedChange, PauseSession as _};
use crate::session::{Backend as _, Extent, Purpose, StoreSession as _};
use crate::{Result, StoreError};

#[async_trait]
impl DefinitionEditStore for PostgresStore {
    async fn definitions(&self) -> Result<Definitions> {
        // The version comes first: what changes meanwhile makes it outdated.
        Ok(Definitions {
            version: self.definition_version().await?,
            organizations: all(self, || sqlx::query(statements::ALL_ORGANIZATIONS), record::organization)
                .await?,
            workflows: all(self, || sqlx::query(statements::ALL_WORKFLOWS), record::workflow).await?,
            config: all(self, || sqlx::query(statements::ALL_CONFIG), record::config).await?,
            schedules: all(self, || sqlx::query(statements::ALL_SCHEDULES), record::schedule).await?,
            webhooks: all(self, || sqlx::query(statements::ALL_WEBHOOKS), record::webhook).await?,
        })
    }

    async fn write_definitions(
        &self,
        version: i64,
        who: &str,
        changes: &[DefinitionChange],
    ) -> Result<DefinitionsWritten> {
        again(PLANS_MAX, || write(self, version, who, changes)).await
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

async fn write(
    store: &PostgresStore,
    version: i64,
    who: &str,
    changes: &[DefinitionChange],
) -> Result<DefinitionsWritten> {
    let mut session = store.begin(Purpose::Write, Extent::Several).await?;
    let locked = session.rows(sqlx::query(statements::LOCK_DEFINITIONS)).await?;
    let current: Option<i64> =
        locked.first().map(|row| row.try_get("version")).transpose().map_err(store_error)?;
    if current.unwrap_or_default() != version {
        session.commit().await?;
        return Ok(DefinitionsWritten::Outdated);
    }
    for change in changes {
        put(&mut session, &change.write).await?;
        session.note_change(&NotedChange::of(who, change)).await?;
    }
    session.commit().await?;
    Ok(DefinitionsWritten::Committed)
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
            .bind(row.is_active),
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
