//! After the commit: publish, reply, clean up, and only then note that it is done.
//!
//! What a crash leaves unsent is found in the rows and sent by the sweep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::ledger::{Held, Ledger};
use super::slots::{Closed, Slots};
use crate::bus::{Bus, Settlement, StatusChange};
use crate::execution::{Attempt, Status};
use crate::finalize::{Finalized, Sink};
use crate::observe::Metrics;
use crate::store::{ExecutionRecord, Store, Verdict};

/// A row that ended this long ago and was not announced was left by a crash.
const LEFT_AFTER: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const SWEEP_MAX: usize = 200;
/// While the bus is out of reach, how many announcements are kept in memory. The sweep finds the others.
const KEPT_MAX: usize = 10_000;
/// So many groups are announced at once, each of one commit.
const GROUPS_AT_ONCE: usize = 8;

/// Hears of commits and announces them.
#[derive(Debug)]
pub struct Announcer {
    ledger: Arc<Ledger>,
    slots: Arc<Slots>,
    news: mpsc::UnboundedSender<News>,
    /// How many announcements wait.
    waiting: Arc<AtomicUsize>,
    store: Arc<dyn Store>,
    bus: Bus,
    metrics: Arc<Metrics>,
}

impl Announcer {
    /// Starts the task that talks to the bus.
    pub fn start(
        store: Arc<dyn Store>,
        bus: Bus,
        ledger: Arc<Ledger>,
        slots: Arc<Slots>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let (news, received) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tokio::spawn(settle(Arc::clone(&store), bus.clone(), received, Arc::clone(&waiting)));
        Arc::new(Self { ledger, slots, news, waiting, store, bus, metrics })
    }

    /// Returns when all that was committed so far is announced, or given up.
    pub async fn announced(&self) {
        let (answer, answered) = oneshot::channel();
        if self.news.send(News::Flush(answer)).is_ok() {
            let _ = answered.await;
        }
    }

    /// Hands a group on, as one: it is sent in one go.
    fn tell(&self, settlements: Vec<Settlement>) {
        let count = settlements.len();
        // When so many wait the bus is out of reach, and the sweep will find the rows.
        if count == 0 || self.waiting.fetch_add(count, Ordering::Relaxed) > KEPT_MAX {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return;
        }
        // The task on the other side ends only after this sender is gone.
        let _ = self.news.send(News::Settled(settlements));
    }

    /// What is to be said of an end. `None`: it is announced from its row.
    async fn settlement(&self, finalized: Finalized, held: Option<Held>) -> Option<Settlement> {
        let Finalized { finalization, verdict } = finalized;
        let Verdict::Finished { status, error_type } = verdict else { return None };
        let attempt = finalization.attempt;
        // An end that an earlier process kept: whether somebody waits for it stands in its row, so it is announced
        // from there.
        let Some(held) = held else {
            announce_rows(&self.store, &self.bus, vec![attempt.execution_id]);
            return None;
        };
        let reply = match held.terms.sync {
            false => None,
            // If the row cannot be read now it stays unannounced, and the sweep finds it.
            true => Some(self.reply(attempt.execution_id).await?),
        };
        let failure = match &finalization.disposition {
            crate::store::Disposition::Terminal(outcome) => outcome.failure(),
            crate::store::Disposition::Retry { failure, .. } => Some(failure),
            crate::store::Disposition::Release { .. } => None,
        };
        let status = StatusChange {
            workflow: held.execution.workflow_name.clone(),
            organization_id: held.execution.organization_id,
            error_message: failure.map(|failure| failure.message.clone()),
            error_type,
            duration_ms: finalization.duration_ms,
            ..StatusChange::new(attempt, status, finalization.completed_at)
        };
        Some(Settlement { status, reply })
    }

    async fn reply(&self, id: Uuid) -> Option<Bytes> {
        let record = self.store.execution(id).await.ok().flatten()?;
        serde_json::to_vec(&record).ok().map(Bytes::from)
    }
}

#[async_trait]
impl Sink for Announcer {
    async fn finalized(&self, group: Vec<Finalized>, took: Duration) {
        self.metrics.committed(group.len(), took);
        let mut settlements = Vec::with_capacity(group.len());
        for finalized in group {
            let attempt = finalized.finalization.attempt;
            let held = self.ledger.let_go(attempt);
            match &finalized.verdict {
                Verdict::Finished { status, .. } => {
                    let ran = finalized.finalization.duration_ms.map(Duration::from_millis);
                    self.metrics.finished(*status, ran);
                    settlements.extend(self.settlement(finalized, held).await);
                }
                Verdict::Requeued => {
                    self.metrics.requeued();
                    tracing::info!(%attempt, "execution goes back to the queue");
                    let at = finalized.finalization.completed_at;
                    let workflow = held.and_then(|held| held.execution.workflow_name.clone());
                    let pending = StatusChange::new(attempt, Status::Pending, at);
                    self.bus.status_changed(&StatusChange { workflow, ..pending });
                }
                Verdict::Superseded => {
                    self.metrics.superseded();
                    tracing::warn!(%attempt, "another supervisor owns this execution; its outcome here changes nothing");
                }
            }
        }
        self.tell(settlements);
        self.slots.open(Closed::Backlog);
    }

    async fn store_unreachable(&self, unreachable: bool) {
        if unreachable {
            self.slots.close(Closed::StoreUnreachable);
        } else {
            self.slots.open(Closed::StoreUnreachable);
        }
    }
}

/// What the task that talks to the bus is told.
#[derive(Debug)]
enum News {
    Settled(Vec<Settlement>),
    Flush(oneshot::Sender<()>),
}

/// Sends what is committed, as many at once as there are.
async fn settle(
    store: Arc<dyn Store>,
    bus: Bus,
    mut news: mpsc::UnboundedReceiver<News>,
    waiting: Arc<AtomicUsize>,
) {
    let mut received = Vec::new();
    while news.recv_many(&mut received, GROUPS_AT_ONCE).await > 0 {
        let (mut group, mut flushes) = (Vec::new(), Vec::new());
        for news in received.drain(..) {
            match news {
                News::Settled(settlements) => group.extend(settlements),
                News::Flush(answer) => flushes.push(answer),
            }
        }
        waiting.fetch_sub(group.len(), Ordering::Relaxed);
        match bus.settle(&group).await {
            Ok(()) => {
                // What cannot be marked the sweep announces again.
                mark(&*store, group.iter().map(|settlement| settlement.status.execution_id).collect()).await;
            }
            Err(error) => {
                tracing::debug!(%error, count = group.len(), "announcements wait for the bus");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        for flush in flushes {
            let _ = flush.send(());
        }
    }
}

/// True when it is noted that these are announced.
async fn mark(store: &dyn Store, ids: Vec<Uuid>) -> bool {
    if ids.is_empty() {
        return true;
    }
    let marked = store.mark_notified(&ids).await;
    if let Err(error) = &marked {
        tracing::debug!(%error, "announced executions are announced again later");
    }
    marked.is_ok()
}

/// Announces what a crash left unannounced, for ever.
pub(super) async fn sweep_for_ever(store: Arc<dyn Store>, bus: Bus) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        // A full page means that more are left: an outage may leave thousands.
        while sweep(&*store, &bus).await == Some(SWEEP_MAX) {}
    }
}

/// Announces one page; gives how many, or `None` when the store or the bus is out of reach. What could not be marked
/// counts as out of reach: the same page would come again at once.
async fn sweep(store: &dyn Store, bus: &Bus) -> Option<usize> {
    let left = store.unnotified(LEFT_AFTER, SWEEP_MAX).await.ok()?;
    let settlements: Vec<_> = left.iter().map(settlement).collect();
    bus.settle(&settlements).await.ok()?;
    mark(store, left.iter().map(|record| record.id).collect()).await.then_some(left.len())
}

/// Announces rows that ended where nothing ran: cancelled while they waited, out of attempts. In the
/// background; what it cannot announce the sweep will.
pub(super) fn announce_rows(store: &Arc<dyn Store>, bus: &Bus, ids: Vec<Uuid>) {
    let (store, bus) = (Arc::clone(store), bus.clone());
    tokio::spawn(async move {
        for id in ids {
            let Ok(Some(record)) = store.execution(id).await else { continue };
            if record.status.is_terminal() && bus.settle(&[settlement(&record)]).await.is_ok() {
                mark(&*store, vec![id]).await;
            }
        }
    });
}

fn settlement(record: &ExecutionRecord) -> Settlement {
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
    Settlement { status, reply: sync_reply(record) }
}

fn sync_reply(record: &ExecutionRecord) -> Option<Bytes> {
    #[derive(serde::Deserialize)]
    struct Sync {
        #[serde(default)]
        sync: bool,
    }
    let request = record.request.as_ref()?;
    let Sync { sync } = serde_json::from_str(request.get()).ok()?;
    if sync { serde_json::to_vec(record).ok().map(Bytes::from) } else { None }
}
