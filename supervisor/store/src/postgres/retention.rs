//! Forgetting what ended long ago.

use async_trait::async_trait;

use super::read::{count, one};
use super::session::record;
use super::{PostgresStore, statements};
use crate::Result;
use crate::columns::TimeColumn;
use crate::retention::{PruneRange, PrunedRows, RetentionStore};

/// The key of the advisory lock that supervisors take in turn for it.
const PRUNE_LOCK: i64 = 0x6d75_7374_6572_0002;

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn prune(&self, range: PruneRange, limit: usize) -> Result<PrunedRows> {
        let prune = || {
            sqlx::query(statements::PRUNE)
                .bind(range.status.as_str())
                .bind(TimeColumn(range.before))
                .bind(count(limit))
                .bind(PRUNE_LOCK)
        };
        Ok(one(self, prune, record::pruned).await?.unwrap_or_default())
    }

    async fn prunable(&self, range: PruneRange) -> Result<PrunedRows> {
        let query =
            || sqlx::query(statements::PRUNABLE).bind(range.status.as_str()).bind(TimeColumn(range.before));
        Ok(one(self, query, record::pruned).await?.unwrap_or_default())
    }
}
