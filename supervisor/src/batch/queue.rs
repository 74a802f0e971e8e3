//! What a batch has still to do, in the order of its file.

use std::collections::VecDeque;
use std::sync::Arc;

use muster_store::NewExecution;
use uuid::Uuid;

use super::input::BadLine;

/// One claim takes so many lines at most, and so many wait for it.
pub(super) const CLAIM_MAX: usize = 128;

/// Executions to claim, and between them the lines nothing can be run from: such a line's failure counts when
/// its turn comes, so that what stands before it in the file runs whatever stands after it.
#[derive(Debug, Default)]
pub(super) struct BatchQueue {
    lines: VecDeque<NextItem>,
}

#[derive(Debug)]
enum NextItem {
    Run(Arc<NewExecution>),
    Bad(usize, BadLine),
}

impl BatchQueue {
    pub(super) fn push(&mut self, execution: Arc<NewExecution>) {
        self.lines.push_back(NextItem::Run(execution));
    }

    /// One that is tried again: it stood before all that waits.
    pub(super) fn push_again(&mut self, execution: Arc<NewExecution>) {
        self.lines.push_front(NextItem::Run(execution));
    }

    /// A line that is bad; `place` is that of its result.
    pub(super) fn push_bad(&mut self, place: usize, bad: BadLine) {
        self.lines.push_back(NextItem::Bad(place, bad));
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// How many executions are among the lines.
    pub(super) fn executions(&self) -> usize {
        self.lines.iter().filter(|next| matches!(next, NextItem::Run(_))).count()
    }

    /// True while the execution is among the lines.
    pub(super) fn holds(&self, id: Uuid) -> bool {
        self.lines.iter().any(|next| matches!(next, NextItem::Run(execution) if execution.id == id))
    }

    /// How many executions may be claimed before a bad line's turn comes.
    pub(super) fn claimable(&self) -> usize {
        self.lines.iter().take_while(|next| matches!(next, NextItem::Run(_))).count()
    }

    /// The next executions, at most `count`, up to a bad line.
    pub(super) fn take(&mut self, count: usize) -> Vec<Arc<NewExecution>> {
        let next = self.lines.drain(..self.claimable().min(count));
        next.filter_map(|next| match next {
            NextItem::Run(execution) => Some(execution),
            NextItem::Bad(..) => None,
        })
        .collect()
    }

    /// The bad line whose turn it is, if that is what comes next.
    pub(super) fn take_bad(&mut self) -> Option<(usize, BadLine)> {
        match self.lines.pop_front() {
            Some(NextItem::Bad(place, bad)) => Some((place, bad)),
            Some(run @ NextItem::Run(_)) => {
                self.lines.push_front(run);
                None
            }
            None => None,
        }
    }

    /// All that is left: the executions, and the bad lines among them.
    pub(super) fn clear(&mut self) -> (Vec<Arc<NewExecution>>, Vec<(usize, BadLine)>) {
        let (mut executions, mut bad_lines) = (Vec::new(), Vec::new());
        for next in self.lines.drain(..) {
            match next {
                NextItem::Run(execution) => executions.push(execution),
                NextItem::Bad(place, bad) => bad_lines.push((place, bad)),
            }
        }
        (executions, bad_lines)
    }
}
