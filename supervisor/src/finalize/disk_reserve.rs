//! Room on disk for what running executions may leave, seen to before they run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::spill::SpillQueue;

/// Set aside for each slot. Most executions leave some kilobytes and a few leave megabytes, so that together they
/// fit. What does not fit the append finds out.
pub(super) const SLOT_BYTES: u64 = 1024 * 1024;

/// How soon a disk that was too full is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Lets executions in only as long as there is room to keep their outcomes.
pub trait Admission: std::fmt::Debug + Send + Sync + 'static {
    /// How many may run at once, now and from now on.
    fn slots(&self) -> watch::Receiver<usize>;
    /// How many are inside and have not ended.
    fn inside(&self) -> usize;
    /// The disk cannot hold what they may leave. Called again with `false` when it can.
    fn no_room(&self, no_room: bool);
}

/// The space that is set aside.
#[derive(Debug)]
pub(super) struct DiskReserve {
    pub(super) admission: Arc<dyn Admission>,
    slots: watch::Receiver<usize>,
    /// There is none: when to try again.
    again_at: Option<Instant>,
}

impl DiskReserve {
    pub(super) fn new(admission: Arc<dyn Admission>) -> Self {
        Self { slots: admission.slots(), admission, again_at: None }
    }

    /// Returns when space is to be set aside anew: for another number of slots, or because there was none.
    pub(super) async fn due(&mut self) {
        let again_at = self.again_at;
        let again = async {
            match again_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender lives as long as the admission, which are held here.
            _ = self.slots.changed() => {}
            () = again => {}
        }
    }

    /// Sets space aside. While there is none the admission are closed.
    pub(super) fn make(&mut self, parked: &SpillQueue) {
        let slots = *self.slots.borrow_and_update();
        let made = parked.reserve((slots as u64).saturating_mul(SLOT_BYTES));
        let was_missing = self.again_at.is_some();
        self.again_at = made.is_err().then(|| Instant::now() + AGAIN_AFTER);
        match made {
            Err(error) if !was_missing => {
                tracing::error!(%error, slots, "not enough disk space for outcomes; claiming is paused until there is");
                self.admission.no_room(true);
            }
            Ok(()) if was_missing => {
                tracing::info!(slots, "enough disk space for outcomes again; claiming goes on");
                self.admission.no_room(false);
            }
            Ok(()) | Err(_) => {}
        }
    }
}
