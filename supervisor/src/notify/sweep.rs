//! Announcing from rows: what somebody waits for, what ended where nothing ran, and what a crash left unsaid.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_bus::{Bus, OutcomeAnnouncement, StatusChange};
use muster_core::execution::Attempt;
use muster_store::{ExecutionRecord, NotificationStore};
use uuid::Uuid;

/// A row that ended this long ago and was not announced was left by a crash.
const LEFT_AFTER: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const SWEEP_MAX: usize = 200;

/// True when it is noted that these are announced.
pub(crate) async fn mark(store: &dyn NotificationStore, ids: Vec<Uuid>) -> bool {
    if ids.is_empty() {
        return true;
    }
    let marked = store.mark_notified(&ids).await;
    if let Err(error) = &marked {
        tracing::debug!(%error, "cannot mark outcomes as published; they are published again later");
    }
    marked.is_ok()
}

/// Announces what a crash left unannounced, for ever.
pub(crate) async fn sweep_for_ever(store: Arc<dyn NotificationStore>, bus: Bus) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        // A full page means that more are left: an outage may leave thousands.
        while sweep(&*store, &bus).await == Some(SWEEP_MAX) {}
    }
}

/// Announces one page; gives how many, or `None` when the store or the bus is out of reach. What could not be marked
/// counts as out of reach: the same page would come again at once.
async fn sweep(store: &dyn NotificationStore, bus: &Bus) -> Option<usize> {
    let left = store.unnotified(LEFT_AFTER, SWEEP_MAX).await.ok()?;
    let settlements: Vec<_> = left.iter().map(settlement).collect();
    bus.announce_outcomes(&settlements).await.ok()?;
    mark(store, left.iter().map(|record| record.id).collect()).await.then_some(left.len())
}

/// Announces rows that ended where nothing ran: cancelled while they waited, out of attempts. In the
/// background; what it cannot announce the sweep will.
pub(crate) fn notify_rows(store: Arc<dyn NotificationStore>, bus: &Bus, ids: Vec<Uuid>) {
    let bus = bus.clone();
    tokio::spawn(async move {
        let Some(settlements) = from_rows(&*store, &ids).await else { return };
        if bus.announce_outcomes(&settlements).await.is_ok() {
            mark(&*store, settlements.iter().map(|settlement| settlement.status.execution_id).collect())
                .await;
        }
    });
}

/// What is to be said of rows, if they can be read. Of one that is not over there is nothing to say.
pub(crate) async fn from_rows(
    store: &dyn NotificationStore,
    ids: &[Uuid],
) -> Option<Vec<OutcomeAnnouncement>> {
    if ids.is_empty() {
        return Some(Vec::new());
    }
    let records = store.executions_by_id(ids).await.ok()?;
    Some(records.iter().filter(|record| record.status.is_terminal()).map(settlement).collect())
}

fn settlement(record: &ExecutionRecord) -> OutcomeAnnouncement {
    let attempt = Attempt::new(record.id, record.attempt);
    let at = record.completed_at.unwrap_or(record.created_at);
    let status = StatusChange {
        workflow: record.workflow_name.clone(),
        organization_id: record.organization_id,
        error_type: record.error_type.clone(),
        error_message: record.error_message.clone(),
        duration_ms: record.duration_ms.and_then(|duration| u64::try_from(duration).ok()),
        ..StatusChange::new(attempt, record.status, at)
    };
    OutcomeAnnouncement { status, reply: sync_reply(record) }
}

fn sync_reply(record: &ExecutionRecord) -> Option<Bytes> {
    #[derive(serde::Deserialize)]
    struct SyncTarget {
        #[serde(default)]
        sync: bool,
    }
    let request = record.request.as_ref()?;
    let SyncTarget { sync } = serde_json::from_str(request.get()).ok()?;
    if sync { serde_json::to_vec(record).ok().map(Bytes::from) } else { None }
}
