//! How many workers stand how. Kept up with every change of state, so that no decision walks the table.

use super::worker::{Due, Standing};

/// Counts by [`Standing`]. What is in none of them is doomed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) starting: usize,
    pub(super) idle: usize,
    pub(super) busy: usize,
    /// Idle or busy, and to be replaced.
    pub(super) due: usize,
    /// Of those, the ones at the end of their executions.
    pub(super) spent: usize,
}

impl Census {
    /// Workers that serve or will.
    pub(super) fn serving(&self) -> usize {
        self.starting + self.idle + self.busy
    }

    pub(super) fn enter(&mut self, standing: Standing) {
        match standing {
            Standing::Starting => self.starting += 1,
            Standing::Idle(due) => {
                self.idle += 1;
                self.enter_due(due);
            }
            Standing::Busy(due) => {
                self.busy += 1;
                self.enter_due(due);
            }
            Standing::Doomed => {}
        }
    }

    pub(super) fn leave(&mut self, standing: Standing) {
        match standing {
            Standing::Starting => self.starting -= 1,
            Standing::Idle(due) => {
                self.idle -= 1;
                self.leave_due(due);
            }
            Standing::Busy(due) => {
                self.busy -= 1;
                self.leave_due(due);
            }
            Standing::Doomed => {}
        }
    }

    fn enter_due(&mut self, due: Option<Due>) {
        self.due += usize::from(due.is_some());
        self.spent += usize::from(due == Some(Due::Spent));
    }

    fn leave_due(&mut self, due: Option<Due>) {
        self.due -= usize::from(due.is_some());
        self.spent -= usize::from(due == Some(Due::Spent));
    }
}
