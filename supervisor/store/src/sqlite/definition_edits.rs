//! Changing what is defined.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;

use super::definitions::text;
use super::error::store_error;
use super::read::{all, count, one};
use super::rows::write_query;
use super::session::{SqliteSession, record};
use super::{SqliteStore, statements};
use crate::Result;
use crate::definitions::{
    ChangeRecord, DefinitionChange, DefinitionEditStore, DefinitionWrite, Definitions, DefinitionsWritten,
};
use crate::pauses::{NotedChange, PauseSession as _};
use crate::session::{Backend as _, Extent, Purpose, StoreSession as _};

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
            config: all(self, sqlx::query(statements::ALL_CONFIG), record::config).await?,
            schedules: all(self, sqlx::query(statements::ALL_SCHEDULES), record::schedule).await?,
            webhooks: all(self, sqlx::query(statements::ALL_WEBHOOKS), record::webhook).await?,
        })
    }

    async fn write_definitions(
        &self,
        version: i64,
        who: &str,
        changes: &[DefinitionChange],
    ) -> Result<DefinitionsWritten> {
        let mut session = self.begin(Purpose::Write, Extent::Several).await?;
        let current = session.rows(write_query(statements::DEFINITION_VERSION)).await?;
        let current: Option<i64> =
            current.first().map(|row| row.try_get("version")).transpose().map_err(store_error)?;
        if current.unwrap_or_default() != version {
            session.commit().await?;
            return Ok(DefinitionsWritten::Outdated);
        }
        for change in changes {
            put(&mut session, &change.write).await?;
            session.note_change(&NotedChange::of(who, change)).await?;
        }
        session.commit().await?;
        self.definition_waker.notify_one();
        Ok(DefinitionsWritten::Committed)
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
            .bind(row.is_active),
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
