//! What is over and must be told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::read::{all, count};
use super::rows::write_query;
use super::session::{array, record};
use super::{SqliteStore, statements};
use crate::columns::now;
use crate::rows::micros;
use crate::{ExecutionRecord, NotificationStore, Result};

#[async_trait]
impl NotificationStore for SqliteStore {
    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        all(self, sqlx::query(statements::EXECUTIONS_BY_ID).bind(array(ids)?), record::execution).await
    }

    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>> {
        let before = now().as_microsecond() - micros(older_than);
        let query = sqlx::query(statements::UNNOTIFIED).bind(before).bind(count(limit));
        all(self, query, record::execution).await
    }

    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let query = write_query(statements::MARK_NOTIFIED).bind(array(ids)?).bind(now().as_microsecond());
        self.write(query).await?;
        Ok(())
    }

    fn publish_with_commit(&self) {
        self.published_with_commit.store(true, Ordering::Relaxed);
    }

    fn publishes_with_commit(&self) -> bool {
        self.published_with_commit.load(Ordering::Relaxed)
    }
}
