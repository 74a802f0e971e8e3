//! What a batch is run with: a core as the service has, with a sink that tells the batch what ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::Bus;
use muster_system::process::{Guard, Guarded, WorkerLeaves};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::BatchError;
use super::lines::InputLines;
use super::outcome::ReportResults;
use super::runner::{BatchRunner, StopSignals};
use super::store::BatchStore;
use crate::descriptions::Descriptions;
use crate::dispatch::{AfterFailure, InFlight, IntakeClosed, Preparer, Slots};
use crate::finalize::{Finalized, FinalizedSink};
use crate::secret_keys::OpenedDefinitions;
use crate::service::{Core, CoreParts, absolute_workflows_dir, claimant};
use crate::settings::Settings;
use crate::transcripts::TranscriptKeeper;

/// So many starts in a row without a Ready, and the batch gives up. (A service never does.)
const GIVE_UP_AFTER: u32 = 5;
/// A batch whose store refuses an outcome waits for so long for everything else.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// What a batch is run with.
#[derive(Debug)]
pub struct Batch {
    /// The settings, of which a batch heeds those of the pool.
    pub settings: Settings,
    /// The store that the batch's executions are recorded in.
    pub store: Arc<dyn BatchStore>,
    /// True when lines after a failure are still run.
    pub keep_going: bool,
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<TranscriptKeeper>>,
    /// Cancelled to end the batch early: what runs is cancelled, the rest never starts. Every line has its result.
    pub stop: CancellationToken,
    /// Cancelled when nothing is to be waited for from the file any more.
    pub stop_reading: CancellationToken,
}

/// Runs all lines.
///
/// # Errors
/// When the pool cannot be made, the store fails or the file cannot be read to its end. Whatever the file does,
/// the lines read before it have their results.
pub async fn run(batch: Batch, lines: InputLines, report: &mut impl ReportResults) -> Result<(), BatchError> {
    let Batch { settings, store, keep_going, transcripts, stop, stop_reading } = batch;
    let (in_flight, slots) = (Arc::new(InFlight::default()), Slots::new(settings.max_workers));
    let (ends, ended) = mpsc::unbounded_channel();
    let bus = Bus::unwatched(&settings.key_prefix);
    let descriptions = Arc::new(Descriptions::new(absolute_workflows_dir(&settings)));
    let leaves = WorkerLeaves::open_unrecorded()
        .inspect_err(|reason| tracing::debug!(reason, "workers have no control groups of their own"))
        .ok();
    let guarded = Guarded { leaves: leaves.as_ref().map(|leaves| leaves.folder().to_owned()), record: None };
    // Without one a batch that is killed may leave processes behind.
    let _guard = Guard::start(&guarded);
    let parts = CoreParts {
        claimant: claimant(&settings),
        preparer: Preparer::new(
            Arc::new(OpenedDefinitions::new(store.clone(), Arc::new(settings.secret_keys()))),
            bus.clone(),
            settings.execution_timeout,
            Arc::clone(&descriptions),
            None,
        ),
        descriptions,
        outcomes: store.clone(),
        state: store.clone(),
        bus,
        in_flight: Arc::clone(&in_flight),
        slots: Arc::clone(&slots),
        sink: Arc::new(ResultSink { in_flight, slots, ends }),
        metrics: Arc::default(),
        outbox: None,
        orphaned_workers: None,
        leaves: leaves.map(Arc::new),
        give_up_after: Some(GIVE_UP_AFTER),
        transcripts,
        after_failure: if keep_going { AfterFailure::GoOn } else { AfterFailure::Halt },
        shares_store: false,
    };
    let core = Core::start(&settings, parts)?;
    let mut runner = BatchRunner::new(core, store, keep_going, settings.max_attempts, report);
    let ran = runner.run(lines, ended, StopSignals { running: stop, reading: stop_reading }).await;
    runner.core.executor.handle().drain(Duration::ZERO);
    // What the store refuses is never written; all else is within this time.
    let limit = if runner.gave_up { SETTLED_WITHIN } else { Duration::MAX };
    if tokio::time::timeout(limit, runner.core.drained()).await.is_err() {
        tracing::warn!(?limit, "the batch ends without the outcomes that its database refuses");
    }
    ran
}

/// Passes on what is committed.
#[derive(Debug)]
struct ResultSink {
    in_flight: Arc<InFlight>,
    slots: Arc<Slots>,
    ends: mpsc::UnboundedSender<Finalized>,
}

#[async_trait]
impl FinalizedSink for ResultSink {
    async fn finalized(&self, group: Vec<Finalized>, _took: Duration) {
        for finalized in group {
            self.in_flight.remove(finalized.finalization.attempt);
            // The batch hears until every line has ended.
            let _ = self.ends.send(finalized);
        }
        self.slots.open(IntakeClosed::Backlog);
    }

    async fn store_unreachable(&self, _unreachable: bool) {}
}
