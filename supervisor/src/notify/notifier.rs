//! After the commit: publish, reply, clean up, and only then note that it is done.
//!
//! What a crash leaves unsent is found in the rows and sent by the sweep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::{Bus, OutcomeAnnouncement, StatusChange};
use muster_core::execution::Status;
use muster_store::{Disposition, Finalization, FinalizeResult, NotificationStore};
use muster_system::vital;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::sweep::{from_rows, mark};
use crate::dispatch::{InFlight, InFlightAttempt};
use crate::dispatch::{IntakeClosed, Slots};
use crate::finalize::{Finalized, FinalizedSink};
use crate::observe::SupervisorMetrics;

/// While the bus is out of reach, how many announcements are kept in memory. The sweep finds the others.
const KEPT_MAX: usize = 10_000;
/// So many groups are announced at once, each of one commit.
const GROUPS_AT_ONCE: usize = 8;

/// Hears of commits and announces them.
#[derive(Debug)]
pub struct Notifier {
    in_flight: Arc<InFlight>,
    slots: Arc<Slots>,
    news: mpsc::UnboundedSender<NotifierMessage>,
    /// How many announcements wait.
    waiting: Arc<AtomicUsize>,
    bus: Bus,
    metrics: Arc<SupervisorMetrics>,
}

impl Notifier {
    /// Starts the task that talks to the bus.
    pub fn start(
        store: Arc<dyn NotificationStore>,
        bus: Bus,
        in_flight: Arc<InFlight>,
        slots: Arc<Slots>,
        metrics: Arc<SupervisorMetrics>,
    ) -> Arc<Self> {
        let (news, received) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tokio::spawn(vital::serving(
            "notifier",
            publish_group(store, bus.clone(), received, Arc::clone(&waiting)),
        ));
        Arc::new(Self { in_flight, slots, news, waiting, bus, metrics })
    }

    /// Returns when all that was committed so far is announced, or given up.
    pub async fn finished(&self) {
        let (answer, answered) = oneshot::channel();
        if self.news.send(NotifierMessage::Flush(answer)).is_ok() {
            let _ = answered.await;
        }
    }

    /// Hands a group on, as one: it is sent in one go.
    fn notify(&self, ended: Notification) {
        let count = ended.len();
        // When so many wait the bus is out of reach, and the sweep will find the rows.
        if count == 0 || self.waiting.fetch_add(count, Ordering::Relaxed) > KEPT_MAX {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return;
        }
        if self.news.send(NotifierMessage::Ended(ended)).is_err() {
            vital::is_gone("notifier");
        }
    }
}

/// What was committed together and is to be announced.
#[derive(Debug, Default)]
struct Notification {
    /// Everything that is to be said is known.
    settlements: Vec<OutcomeAnnouncement>,
    /// Their rows must be read: somebody waits for one, or may do so.
    rows: Vec<Uuid>,
}

impl Notification {
    fn len(&self) -> usize {
        self.settlements.len() + self.rows.len()
    }

    fn push(
        &mut self,
        finalization: &Finalization,
        held: Option<InFlightAttempt>,
        written: (Status, Option<String>),
    ) {
        let attempt = finalization.attempt;
        // Of an outcome that an earlier process kept only the row knows whether somebody waits for it.
        let Some(held) = held.filter(|held| !held.terms.sync) else {
            return self.rows.push(attempt.execution_id);
        };
        let failure = match &finalization.disposition {
            Disposition::Terminal(outcome) => outcome.failure(),
            Disposition::Retry { failure, .. } | Disposition::UnknownHere { failure, .. } => Some(failure),
            Disposition::Release { .. } => None,
        };
        let (status, error_type) = written;
        let status = StatusChange {
            workflow: held.execution.workflow_name.clone(),
            organization_id: held.execution.organization_id,
            error_message: failure.map(|failure| failure.message.clone()),
            error_type,
            duration_ms: finalization.duration_ms,
            ..StatusChange::new(attempt, status, finalization.completed_at)
        };
        self.settlements.push(OutcomeAnnouncement { status, reply: None });
    }
}

#[async_trait]
impl FinalizedSink for Notifier {
    async fn finalized(&self, group: Vec<Finalized>, took: Duration) {
        self.metrics.committed(group.len(), took);
        let mut ended = Notification::default();
        for Finalized { finalization, verdict } in group {
            let attempt = finalization.attempt;
            let held = self.in_flight.remove(attempt);
            match verdict {
                FinalizeResult::Finished { status, error_type } => {
                    let workflow = held.as_ref().and_then(|held| held.execution.workflow_name.as_deref());
                    let ran = finalization.duration_ms.map(Duration::from_millis);
                    self.metrics.finished(workflow.unwrap_or_default(), status, error_type.as_deref(), ran);
                    tell_end(&finalization, held.as_ref(), status, error_type.as_deref());
                    ended.push(&finalization, held, (status, error_type));
                }
                FinalizeResult::Requeued => {
                    self.metrics.requeued();
                    tracing::info!(execution_id = %attempt.execution_id, attempt = attempt.number, "execution goes back to the queue");
                    let at = finalization.completed_at;
                    let execution = held.map(|held| held.execution);
                    let workflow = execution.as_ref().and_then(|it| it.workflow_name.clone());
                    let organization_id = execution.and_then(|it| it.organization_id);
                    let pending = StatusChange::new(attempt, Status::Pending, at);
                    self.bus.status_changed(&StatusChange { workflow, organization_id, ..pending });
                }
                FinalizeResult::Superseded => {
                    self.metrics.superseded();
                    tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, "another supervisor owns this execution; its outcome here changes nothing");
                }
            }
        }
        self.notify(ended);
        self.slots.open(IntakeClosed::Backlog);
    }

    async fn store_unreachable(&self, unreachable: bool) {
        if unreachable {
            self.slots.close(IntakeClosed::StoreUnreachable);
        } else {
            self.slots.open(IntakeClosed::StoreUnreachable);
        }
    }
}

/// A line in the log for each execution that ended. What it says itself is in its row and its log.
/// `log_level = "info,executions=off"` leaves them out.
fn tell_end(
    finalization: &Finalization,
    held: Option<&InFlightAttempt>,
    status: Status,
    error_type: Option<&str>,
) {
    let (execution_id, attempt) = (finalization.attempt.execution_id, finalization.attempt.number);
    let workflow = held.and_then(|held| held.execution.workflow_name.as_deref()).unwrap_or_default();
    let duration_ms = finalization.duration_ms.unwrap_or_default();
    let message = match status {
        Status::Success => "execution succeeded",
        Status::Failed => "execution failed",
        Status::Timeout => "execution timed out",
        Status::Cancelled => "execution was cancelled",
        Status::Pending | Status::Running => return,
    };
    tracing::info!(target: "executions", %execution_id, attempt, workflow, error_type, duration_ms, "{message}");
}

/// What the task that talks to the bus is told.
#[derive(Debug)]
enum NotifierMessage {
    Ended(Notification),
    Flush(oneshot::Sender<()>),
}

/// Sends what is committed, as many at once as there are.
async fn publish_group(
    store: Arc<dyn NotificationStore>,
    bus: Bus,
    mut news: mpsc::UnboundedReceiver<NotifierMessage>,
    waiting: Arc<AtomicUsize>,
) {
    let mut received = Vec::new();
    while news.recv_many(&mut received, GROUPS_AT_ONCE).await > 0 {
        let (mut group, mut rows, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        for news in received.drain(..) {
            match news {
                NotifierMessage::Ended(mut ended) => {
                    group.append(&mut ended.settlements);
                    rows.append(&mut ended.rows);
                }
                NotifierMessage::Flush(answer) => flushes.push(answer),
            }
        }
        waiting.fetch_sub(group.len() + rows.len(), Ordering::Relaxed);
        // Rows that cannot be read now stay unannounced, and the sweep finds them.
        group.extend(from_rows(&*store, &rows).await.unwrap_or_default());
        match bus.announce_outcomes(&group).await {
            Ok(()) if store.publishes_with_commit() => {}
            Ok(()) => {
                // What cannot be marked the sweep announces again.
                mark(&*store, group.iter().map(|settlement| settlement.status.execution_id).collect()).await;
            }
            Err(error) => {
                tracing::debug!(%error, count = group.len(), "outcomes wait to be published until redis answers");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        for flush in flushes {
            let _ = flush.send(());
        }
    }
}
