//! The intake stays shut while nothing can be prepared: claiming what must go back at once helps nobody and uses up
//! the releases of whatever waits longest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::slots::{IntakeClosed, Slots};

/// So many failures in a row, and the intake closes.
const FAILURES_CLOSE: u32 = 3;
/// The first pause before one more try; it doubles with each, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Opens and closes the intake by how preparing goes.
#[derive(Debug)]
pub(crate) struct PrewarmGate {
    slots: Arc<Slots>,
    pause_min: Duration,
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    /// Failures in a row, counted once for each time the intake was open.
    failures: u32,
    is_closed: bool,
}

impl PrewarmGate {
    pub(crate) fn new(slots: Arc<Slots>) -> Arc<Self> {
        Self::with_pause(slots, PAUSE_MIN)
    }

    fn with_pause(slots: Arc<Slots>, pause_min: Duration) -> Arc<Self> {
        Arc::new(Self { slots, pause_min, state: Mutex::default() })
    }

    /// An execution was prepared: what it needed is there.
    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        if std::mem::take(&mut state.is_closed) {
            self.slots.open(IntakeClosed::PrewarmFails);
        }
    }

    /// One could not be, and goes back.
    pub(crate) fn failed(self: &Arc<Self>) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        state.failures += 1;
        let Some(beyond) = state.failures.checked_sub(FAILURES_CLOSE) else { return };
        state.is_closed = true;
        self.slots.close(IntakeClosed::PrewarmFails);
        let pause = self.pause_min.saturating_mul(1 << beyond.min(10)).min(PAUSE_MAX);
        tracing::warn!(pause_seconds = pause.as_secs_f64(), "cannot prepare executions; claiming is paused");
        let gate = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let Some(gate) = gate.upgrade() else { return };
            if std::mem::take(&mut gate.state().is_closed) {
                gate.slots.open(IntakeClosed::PrewarmFails);
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opens(slots: &Slots) {
        let opened = async {
            while !slots.closed().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), opened).await.unwrap();
    }

    #[tokio::test]
    async fn it_closes_after_three_failures_and_tries_again_by_itself() {
        let slots = Slots::new(1);
        let gate = PrewarmGate::with_pause(Arc::clone(&slots), Duration::from_millis(5));
        gate.failed();
        gate.failed();
        assert_eq!(slots.closed(), []);
        // More failures of the same group count once.
        (0..40).for_each(|_| gate.failed());
        assert_eq!(slots.closed(), [IntakeClosed::PrewarmFails]);
        opens(&slots).await;
        gate.failed();
        assert_eq!(slots.closed(), [IntakeClosed::PrewarmFails], "one more failure closes it again");
        assert_eq!(gate.state().failures, FAILURES_CLOSE + 1);
    }

    #[tokio::test]
    async fn the_first_success_opens_it_and_forgets_the_failures() {
        let slots = Slots::new(1);
        let gate = PrewarmGate::with_pause(Arc::clone(&slots), Duration::from_secs(3600));
        (0..3).for_each(|_| gate.failed());
        assert_eq!(slots.closed(), [IntakeClosed::PrewarmFails]);
        gate.succeeded();
        assert_eq!(slots.closed(), []);
        gate.failed();
        assert_eq!(slots.closed(), []);
    }
}
