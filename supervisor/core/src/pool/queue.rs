//! Attempts the pool holds: those that wait for a worker, in order, and where each of the others runs.

use std::collections::{HashMap, VecDeque};

use super::event::{Assignment, WorkerId};
use super::time::PoolTime;
use crate::execution::Attempt;

/// An assignment that waits for a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitingAssignment {
    pub(super) assignment: Assignment,
    /// When it was first submitted.
    pub(super) queued_at: PoolTime,
    /// How many workers died with it before they said Started.
    pub(super) deaths: u8,
}

/// Where an attempt is.
#[derive(Clone, Copy, Debug)]
pub(super) enum AttemptPlace {
    /// In the queue, under this number.
    Waiting(i64),
    /// Given to this worker.
    Worker(WorkerId),
}

/// First come, first served; an attempt whose worker died before Started goes back to the front.
///
/// Every attempt in the pool has exactly one place. The map is never walked, so its random order cannot
/// leak into what the pool does.
#[derive(Debug, Default)]
pub(super) struct AssignmentQueue {
    /// Numbered from `first`; `None` where one was cancelled in the midst.
    waiting: VecDeque<Option<WaitingAssignment>>,
    first: i64,
    waiting_count: usize,
    places: HashMap<Attempt, AttemptPlace>,
}

impl AssignmentQueue {
    /// Every attempt the pool holds.
    pub(super) fn held(&self) -> usize {
        self.places.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting_count
    }

    /// Attempts that were given to a worker and have not finished.
    pub(super) fn running(&self) -> usize {
        self.places.len() - self.waiting_count
    }

    pub(super) fn place(&self, attempt: Attempt) -> Option<AttemptPlace> {
        self.places.get(&attempt).copied()
    }

    pub(super) fn oldest(&self) -> Option<&WaitingAssignment> {
        self.waiting.front().and_then(Option::as_ref)
    }

    /// The number of the oldest, or of the next to come.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// The first that waits under `number` or a later one, and its number.
    pub(super) fn waiting_from(&self, number: i64) -> Option<(i64, &WaitingAssignment)> {
        let start = usize::try_from((number - self.first).max(0)).ok()?;
        let (at, waiting) = self
            .waiting
            .iter()
            .enumerate()
            .skip(start)
            .find_map(|(at, waiting)| waiting.as_ref().map(|waiting| (at, waiting)))?;
        Some((self.first + i64::try_from(at).ok()?, waiting))
    }

    pub(super) fn push_back(&mut self, waiting: WaitingAssignment) {
        let number = self.first + i64::try_from(self.waiting.len()).unwrap_or(i64::MAX);
        self.places.insert(waiting.assignment.attempt, AttemptPlace::Waiting(number));
        self.waiting.push_back(Some(waiting));
        self.waiting_count += 1;
    }

    pub(super) fn push_front(&mut self, waiting: WaitingAssignment) {
        self.first -= 1;
        self.places.insert(waiting.assignment.attempt, AttemptPlace::Waiting(self.first));
        self.waiting.push_front(Some(waiting));
        self.waiting_count += 1;
    }

    /// Takes the oldest out, to be given to a worker or finished.
    pub(super) fn pop(&mut self) -> Option<WaitingAssignment> {
        let oldest = self.waiting.pop_front()??;
        self.first += 1;
        self.waiting_count -= 1;
        self.places.remove(&oldest.assignment.attempt);
        self.trim();
        Some(oldest)
    }

    /// Takes one out of the midst.
    pub(super) fn take(&mut self, number: i64) -> Option<WaitingAssignment> {
        let index = usize::try_from(number - self.first).ok()?;
        let waiting = self.waiting.get_mut(index)?.take()?;
        self.waiting_count -= 1;
        self.places.remove(&waiting.assignment.attempt);
        self.trim();
        Some(waiting)
    }

    /// Notes that an attempt was given to a worker.
    pub(super) fn given(&mut self, attempt: Attempt, worker: WorkerId) {
        self.places.insert(attempt, AttemptPlace::Worker(worker));
    }

    /// Notes that an attempt finished. False when it is not held.
    pub(super) fn finished(&mut self, attempt: Attempt) -> bool {
        self.places.remove(&attempt).is_some()
    }

    /// The front is always an attempt, never a gap, so that [`AssignmentQueue::oldest`] is a look.
    fn trim(&mut self) {
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first += 1;
        }
    }
}
