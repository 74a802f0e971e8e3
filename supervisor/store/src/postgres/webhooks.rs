//! Webhooks: what is to be told, and who tells it.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::read::{all, count, one};
use super::session::record;
use super::transaction::PgSession;
use super::{PostgresStore, statements};
use crate::Result;
use crate::rows::micros;
use crate::webhooks::{
    DeliveryRecord, DeliveryState, DeliveryTry, OF_REQUESTS_AT_ONCE, TakenDelivery, WebhookSession,
    WebhookStore, state_word,
};

impl WebhookSession for PgSession {
    async fn note_webhooks(&mut self, ids: &[Uuid]) -> Result<()> {
        self.run(sqlx::query(statements::NOTE_WEBHOOKS).bind(ids)).await
    }
}

#[async_trait]
impl WebhookStore for PostgresStore {
    async fn take_deliveries(
        &self,
        of_each: usize,
        in_all: usize,
        busy: &[Uuid],
        lease: Duration,
    ) -> Result<Vec<TakenDelivery>> {
        let take = || {
            sqlx::query(statements::TAKE_DELIVERIES)
                .bind(count(of_each))
                .bind(busy.to_vec())
                .bind(micros(lease))
                .bind(count(in_all))
                .bind(count(in_all.min(OF_REQUESTS_AT_ONCE)))
        };
        all(self, take, record::taken_delivery).await
    }

    async fn note_delivery(&self, tried: &DeliveryTry) -> Result<()> {
        let note = || {
            sqlx::query(statements::NOTE_DELIVERY)
                .bind(tried.execution_id)
                .bind(tried.webhook_id)
                .bind(i64::from(tried.attempts))
                .bind(tried.again_after.map(micros))
                .bind(tried.is_delivered)
                .bind(tried.status.map(i64::from))
                .bind(tried.error.as_deref())
                .bind(tried.note.get())
        };
        all(self, note, |_| Ok(())).await.map(drop)
    }

    async fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<DeliveryState>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>> {
        let query = || {
            sqlx::query(statements::DELIVERIES).bind(webhook).bind(state.map(state_word)).bind(count(limit))
        };
        all(self, query, record::delivery).await
    }

    async fn retry_delivery(&self, webhook: &str, execution_id: Uuid) -> Result<Option<DeliveryRecord>> {
        let retry = || sqlx::query(statements::RETRY_DELIVERY).bind(webhook).bind(execution_id);
        one(self, retry, record::delivery).await
    }
}
