//! After the commit: publish, reply, clean up, and only then note that it is done.
//!
//! What a crash leaves unsent is found in the rows and sent by the sweep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::ledger::{Held, Ledger};
use super::slots::{Closed, Slots};
use super::sweep::{from_rows, mark};
use crate::bus::{Bus, Settlement, StatusChange};
use crate::execution::Status;
use crate::finalize::{Finalized, Sink};
use crate::observe::Metrics;
use crate::store::{Disposition, Finalization, Store, Verdict};
use crate::vital;

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
        tokio::spawn(vital::serving("announcer", settle(store, bus.clone(), received, Arc::clone(&waiting))));
        Arc::new(Self { ledger, slots, news, waiting, bus, metrics })
    }

    /// Returns when all that was committed so far is announced, or given up.
    pub async fn announced(&self) {
        let (answer, answered) = oneshot::channel();
        if self.news.send(News::Flush(answer)).is_ok() {
            let _ = answered.await;
        }
    }

    /// Hands a group on, as one: it is sent in one go.
    fn tell(&self, ended: Ended) {
        let count = ended.len();
        // When so many wait the bus is out of reach, and the sweep will find the rows.
        if count == 0 || self.waiting.fetch_add(count, Ordering::Relaxed) > KEPT_MAX {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return;
        }
        if self.news.send(News::Ended(ended)).is_err() {
            vital::is_gone("announcer");
        }
    }
}

/// What was committed together and is to be announced.
#[derive(Debug, Default)]
struct Ended {
    /// Everything that is to be said is known.
    settlements: Vec<Settlement>,
    /// Their rows must be read: somebody waits for one, or may do so.
    rows: Vec<Uuid>,
}

impl Ended {
    fn len(&self) -> usize {
        self.settlements.len() + self.rows.len()
    }

    fn push(&mut self, finalization: &Finalization, held: Option<Held>, end: (Status, Option<String>)) {
        let attempt = finalization.attempt;
        // Of an end that an earlier process kept only the row knows whether somebody waits for it.
        let Some(held) = held.filter(|held| !held.terms.sync) else {
            return self.rows.push(attempt.execution_id);
        };
        let failure = match &finalization.disposition {
            Disposition::Terminal(outcome) => outcome.failure(),
            Disposition::Retry { failure, .. } => Some(failure),
            Disposition::Release { .. } => None,
        };
        let (status, error_type) = end;
        let status = StatusChange {
            workflow: held.execution.workflow_name.clone(),
            organization_id: held.execution.organization_id,
            error_message: failure.map(|failure| failure.message.clone()),
            error_type,
            duration_ms: finalization.duration_ms,
            ..StatusChange::new(attempt, status, finalization.completed_at)
        };
        self.settlements.push(Settlement { status, reply: None });
    }
}

#[async_trait]
impl Sink for Announcer {
    async fn finalized(&self, group: Vec<Finalized>, took: Duration) {
        self.metrics.committed(group.len(), took);
        let mut ended = Ended::default();
        for Finalized { finalization, verdict } in group {
            let attempt = finalization.attempt;
            let held = self.ledger.let_go(attempt);
            match verdict {
                Verdict::Finished { status, error_type } => {
                    self.metrics.finished(status, finalization.duration_ms.map(Duration::from_millis));
                    ended.push(&finalization, held, (status, error_type));
                }
                Verdict::Requeued => {
                    self.metrics.requeued();
                    tracing::info!(%attempt, "execution goes back to the queue");
                    let at = finalization.completed_at;
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
        self.tell(ended);
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
    Ended(Ended),
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
        let (mut group, mut rows, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        for news in received.drain(..) {
            match news {
                News::Ended(mut ended) => {
                    group.append(&mut ended.settlements);
                    rows.append(&mut ended.rows);
                }
                News::Flush(answer) => flushes.push(answer),
            }
        }
        waiting.fetch_sub(group.len() + rows.len(), Ordering::Relaxed);
        // Rows that cannot be read now stay unannounced, and the sweep finds them.
        group.extend(from_rows(&*store, &rows).await.unwrap_or_default());
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
