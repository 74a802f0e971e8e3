//! How many workers stand how. Kept up with every change of state, so that no decision walks the table.

use super::worker::{CapacityClass, RecycleReason};

/// Counts by [`CapacityClass`]. What is in none of them is terminating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkerCounts {
    pub(super) starting: usize,
    pub(super) idle: usize,
    pub(super) busy: usize,
    /// Busy with the last run they will ever have.
    pub(super) last_run: usize,
    /// Idle or busy, and to be replaced.
    pub(super) due: usize,
    /// Of those, the ones at the end of their executions.
    pub(super) spent: usize,
}

impl WorkerCounts {
    /// Workers that serve or will.
    pub(super) fn serving(&self) -> usize {
        self.starting + self.idle + self.busy
    }

    pub(super) fn enter(&mut self, standing: CapacityClass) {
        match standing {
            CapacityClass::Starting => self.starting += 1,
            CapacityClass::Idle(due) => {
                self.idle += 1;
                self.enter_due(due);
            }
            CapacityClass::Busy(due) => {
                self.busy += 1;
                self.enter_due(due);
            }
            CapacityClass::LastRun => self.last_run += 1,
            CapacityClass::Template | CapacityClass::Terminating => {}
        }
    }

    pub(super) fn leave(&mut self, standing: CapacityClass) {
        match standing {
            CapacityClass::Starting => self.starting -= 1,
            CapacityClass::Idle(due) => {
                self.idle -= 1;
                self.leave_due(due);
            }
            CapacityClass::Busy(due) => {
                self.busy -= 1;
                self.leave_due(due);
            }
            CapacityClass::LastRun => self.last_run -= 1,
            CapacityClass::Template | CapacityClass::Terminating => {}
        }
    }

    fn enter_due(&mut self, due: Option<RecycleReason>) {
        self.due += usize::from(due.is_some());
        self.spent += usize::from(due == Some(RecycleReason::Spent));
    }

    fn leave_due(&mut self, due: Option<RecycleReason>) {
        self.due -= usize::from(due.is_some());
        self.spent -= usize::from(due == Some(RecycleReason::Spent));
    }
}
