//! The parts of this room, connected with the executor before them and the finalizer behind them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use muster_bus::Bus;
use muster_store::{Claimant, StateStore};
use muster_system::vital;
use tokio_util::task::TaskTracker;

use super::{AfterFailure, Dispatcher, InFlight, Prepare, RunReporter, Slots, StartHealth};
use crate::executor::{ExecutorEvents, ExecutorHandle};
use crate::finalize::Finalizer;
use crate::observe::SupervisorMetrics;
use crate::transcripts::TranscriptKeeper;

/// What stands around the room.
#[derive(Debug)]
pub(crate) struct DispatchParts {
    pub(crate) claimant: Claimant,
    /// Where runs read their state.
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) bus: Bus,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) preparer: Arc<dyn Prepare>,
    pub(crate) finalizer: Finalizer,
    pub(crate) metrics: Arc<SupervisorMetrics>,
    pub(crate) after_failure: AfterFailure,
    pub(crate) transcripts: Option<Arc<TranscriptKeeper>>,
    /// Other supervisors claim from the same store.
    pub(crate) shares_store: bool,
}

/// The room at work.
#[derive(Debug)]
pub(crate) struct WiredDispatch {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) health: Arc<StartHealth>,
    /// How many short runs have ended.
    pub(crate) short_ended: Arc<AtomicUsize>,
    /// Ends when all that the executor told is passed on.
    pub(crate) reporting: TaskTracker,
}

impl DispatchParts {
    /// Puts the dispatcher in front of this executor, and the reporter behind it.
    pub(crate) fn wire(self, executor: ExecutorHandle, events: ExecutorEvents) -> WiredDispatch {
        let (health, short_ended) = (Arc::<StartHealth>::default(), Arc::<AtomicUsize>::default());
        let reporter = Arc::new(RunReporter {
            owner: self.claimant.owner,
            shares: self.claimant.shares,
            in_flight: Arc::clone(&self.in_flight),
            slots: Arc::clone(&self.slots),
            finalizer: self.finalizer.clone(),
            bus: self.bus,
            store: self.state,
            health: Arc::clone(&health),
            metrics: self.metrics,
            short_ended: Arc::clone(&short_ended),
            transcripts: self.transcripts,
            shares_store: self.shares_store,
        });
        let reporting = TaskTracker::new();
        reporting.spawn(vital::serving("reporter", reporter.run(events)));
        reporting.close();
        let dispatcher = Dispatcher::new(
            self.claimant.owner,
            self.in_flight,
            executor,
            self.finalizer,
            self.preparer,
            self.after_failure,
            self.slots,
        );
        WiredDispatch { dispatcher, health, short_ended, reporting }
    }
}
