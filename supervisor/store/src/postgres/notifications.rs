//! What is over and must be told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::error::store_error;
use super::read::{all, count};
use super::session::record;
use super::transaction::{STATEMENT_TIMEOUT, within};
use super::{PLANS_MAX, PostgresStore, statements};
use crate::flow::{again, locked_rows};
use crate::rows::micros;
use crate::{ExecutionRecord, NotificationStore, Result, StoreError};

#[async_trait]
impl NotificationStore for PostgresStore {
    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        again(PLANS_MAX, || executions_by_id(self, ids)).await
    }

    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>> {
        let query = || sqlx::query(statements::UNNOTIFIED).bind(micros(older_than)).bind(count(limit));
        all(self, query, record::execution).await
    }

    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()> {
        again(PLANS_MAX, || mark_notified(self, ids)).await
    }

    fn publish_with_commit(&self) {
        self.published_with_commit.store(true, Ordering::Relaxed);
    }

    fn publishes_with_commit(&self) -> bool {
        self.published_with_commit.load(Ordering::Relaxed)
    }
}

/// On a connection that is ready: callers wait for these rows.
async fn executions_by_id(store: &PostgresStore, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
    let statements = &store.shared.statements;
    let mut lent = within(STATEMENT_TIMEOUT, statements.borrow()).await?;
    let query = sqlx::query(statements::EXECUTIONS_BY_ID).bind(ids);
    let rows = within(STATEMENT_TIMEOUT, query.fetch_all(&mut lent.connection)).await?;
    statements.give_back(lent);
    rows.iter().map(|row| record::execution(row).map_err(store_error)).collect()
}

/// A crash may take the mark, and the outcome is published once more. So it does not wait for the disk. Where somebody
/// has locked some of the rows the others are marked, and it is an error.
async fn mark_notified(store: &PostgresStore, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    match mark(store, ids).await {
        Err(error @ StoreError::Locked { .. }) => {
            let locked = locked_rows(store, ids).await?;
            let free: Vec<Uuid> = ids.iter().copied().filter(|id| !locked.contains(id)).collect();
            if !locked.is_empty() && !free.is_empty() {
                mark(store, &free).await?;
            }
            Err(error)
        }
        marked => marked,
    }
}

async fn mark(store: &PostgresStore, ids: &[Uuid]) -> Result<()> {
    let marks = &store.shared.marks;
    let mut lent = within(STATEMENT_TIMEOUT, marks.borrow()).await?;
    let query = sqlx::query(statements::MARK_NOTIFIED).bind(ids);
    within(STATEMENT_TIMEOUT, query.execute(&mut lent.connection)).await?;
    marks.give_back(lent);
    Ok(())
}
