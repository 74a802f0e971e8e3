//! Webhooks: what is to be told, and who tells it.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use uuid::Uuid;

use super::error::store_error;
use super::read::{all, count, one};
use super::rows::write_query;
use super::session::{SqliteSession, array, record, written};
use super::{SqliteStore, statements};
use crate::Result;
use crate::columns::now;
use crate::rows::micros;
use crate::webhooks::{
    DeliveryRecord, DeliveryState, DeliveryTry, OF_REQUESTS_AT_ONCE, TakenDelivery, WebhookSession,
    WebhookStore, state_word,
};

impl WebhookSession for SqliteSession {
    async fn note_webhooks(&mut self, ids: &[Uuid]) -> Result<()> {
        let query = write_query(statements::NOTE_WEBHOOKS).bind(array(ids)?).bind(self.now());
        self.run(query).await
    }
}

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn take_deliveries(
        &self,
        of_each: usize,
        in_all: usize,
        busy: &[Uuid],
        lease: Duration,
    ) -> Result<Vec<TakenDelivery>> {
        let now = now().as_microsecond();
        let is_due = sqlx::query(statements::DELIVERIES_DUE).bind(now).bind(array(busy)?);
        if one(self, is_due, |row| row.try_get("is_due")).await? != Some(true) {
            return Ok(Vec::new());
        }
        let take = write_query(statements::TAKE_DELIVERIES)
            .bind(count(of_each))
            .bind(array(busy)?)
            .bind(now)
            .bind(now + micros(lease))
            .bind(count(in_all))
            .bind(count(in_all.min(OF_REQUESTS_AT_ONCE)));
        let transaction = self.writer.begin().await?;
        let rows = transaction.rows(take)?;
        transaction.commit()?;
        rows.iter().map(written::taken_delivery).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn note_delivery(&self, tried: &DeliveryTry) -> Result<()> {
        let note = write_query(statements::NOTE_DELIVERY)
            .bind(tried.execution_id.to_string())
            .bind(tried.webhook_id.to_string())
            .bind(tried.attempts)
            .bind(tried.again_after.map(micros))
            .bind(tried.is_delivered)
            .bind(tried.status.map(u32::from))
            .bind(tried.error.as_deref())
            .bind(tried.note.get())
            .bind(now().as_microsecond());
        self.write(note).await
    }

    async fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<DeliveryState>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>> {
        let query =
            sqlx::query(statements::DELIVERIES).bind(webhook).bind(state.map(state_word)).bind(count(limit));
        all(self, query, record::delivery).await
    }

    async fn retry_delivery(&self, webhook: &str, execution_id: Uuid) -> Result<Option<DeliveryRecord>> {
        let retry = write_query(statements::RETRY_DELIVERY)
            .bind(webhook)
            .bind(execution_id.to_string())
            .bind(now().as_microsecond());
        let transaction = self.writer.begin().await?;
        let rows = transaction.rows(retry)?;
        transaction.commit()?;
        rows.first().map(written::delivery).transpose().map_err(store_error)
    }
}
