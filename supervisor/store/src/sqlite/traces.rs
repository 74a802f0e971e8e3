//! Executions as traces show them.

use async_trait::async_trait;
use uuid::Uuid;

use super::read::all;
use super::session::{array, record};
use super::{SqliteStore, statements};
use crate::Result;
use crate::traces::{TraceStore, TracedExecution};

#[async_trait]
impl TraceStore for SqliteStore {
    async fn traced(&self, ids: &[Uuid]) -> Result<Vec<TracedExecution>> {
        all(self, sqlx::query(statements::TRACED).bind(array(ids)?), record::traced).await
    }
}
