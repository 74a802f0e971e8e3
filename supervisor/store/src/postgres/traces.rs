//! Executions as traces show them.

use async_trait::async_trait;
use uuid::Uuid;

use super::read::all;
use super::session::record;
use super::{PostgresStore, statements};
use crate::Result;
use crate::traces::{TraceStore, TracedExecution};

#[async_trait]
impl TraceStore for PostgresStore {
    async fn traced(&self, ids: &[Uuid]) -> Result<Vec<TracedExecution>> {
        all(self, || sqlx::query(statements::TRACED).bind(ids), record::traced).await
    }
}
