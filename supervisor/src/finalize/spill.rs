//! Outcomes that could not be written yet: on disk where there is an outbox, else in memory.

use muster_store::Finalization;

use super::outbox::{OutboxError, OutcomeOutbox};

/// Keeps outcomes in order until the store takes them.
#[derive(Debug, Default)]
pub(super) struct SpillQueue {
    outbox: Option<OutcomeOutbox>,
    /// What the disk did not take.
    memory: Vec<Finalization>,
}

impl SpillQueue {
    pub(super) fn new(outbox: Option<OutcomeOutbox>) -> Self {
        Self { outbox, memory: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.on_disk() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.memory.len() + self.on_disk()
    }

    /// How many would survive the end of this process.
    pub(super) fn on_disk(&self) -> usize {
        self.outbox.as_ref().map_or(0, OutcomeOutbox::len)
    }

    /// Sets space aside for outcomes that are to come. Memory is not asked.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), OutboxError> {
        let Some(outbox) = &self.outbox else { return Ok(()) };
        tokio::task::block_in_place(|| outbox.reserve(bytes))
    }

    /// Keeps these. When the disk does not take them they stay in memory, and the intake stays shut.
    pub(super) fn keep(&mut self, group: Vec<Finalization>) {
        let Some(outbox) = &mut self.outbox else { return self.memory.extend(group) };
        if let Err(error) = tokio::task::block_in_place(|| outbox.append(&group)) {
            tracing::error!(%error, count = group.len(), "outcomes are kept in memory only; do not stop this process");
            self.memory.extend(group);
        }
    }

    /// Tries to bring to disk what it did not take before; gives how many are safe now. Whoever makes room need not
    /// wait for the store.
    pub(super) fn keep_memory_on_disk(&mut self) -> usize {
        let Some(outbox) = self.outbox.as_mut().filter(|_| !self.memory.is_empty()) else { return 0 };
        if tokio::task::block_in_place(|| outbox.append(&self.memory)).is_err() {
            return 0;
        }
        tracing::info!(count = self.memory.len(), "outcomes that were in memory only are on disk now");
        std::mem::take(&mut self.memory).len()
    }

    /// The oldest, at most so many and so many bytes; what is on disk is older than what is in memory. They stay
    /// until [`SpillQueue::forget`]. `None` when the disk does not give them back now.
    pub(super) fn oldest(&mut self, limit: usize, max_bytes: usize) -> Option<SpilledGroup> {
        if let Some(outbox) = self.outbox.as_mut().filter(|outbox| !outbox.is_empty()) {
            return match tokio::task::block_in_place(|| outbox.oldest(limit, max_bytes)) {
                Ok(outcomes) => Some(SpilledGroup { outcomes, from: SpillPlace::Disk }),
                Err(error) => {
                    tracing::error!(%error, "kept outcomes cannot be read back; trying again");
                    None
                }
            };
        }
        let count = within(&self.memory, max_bytes).min(limit);
        Some(SpilledGroup { outcomes: self.memory[..count].to_vec(), from: SpillPlace::Memory })
    }

    /// The store has the oldest so many of where they came from.
    pub(super) fn forget(&mut self, count: usize, from: SpillPlace) {
        match (from, &mut self.outbox) {
            (SpillPlace::Disk, Some(outbox)) => {
                if let Err(error) = tokio::task::block_in_place(|| outbox.forget(count)) {
                    tracing::warn!(%error, "outcomes that are written may be replayed after a restart, which changes nothing");
                }
            }
            (SpillPlace::Memory, _) | (SpillPlace::Disk, None) => {
                self.memory.drain(..count.min(self.memory.len()));
            }
        }
    }
}

/// Outcomes to be written together.
#[derive(Debug)]
pub(super) struct SpilledGroup {
    pub(super) outcomes: Vec<Finalization>,
    pub(super) from: SpillPlace,
}

/// Where outcomes wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpillPlace {
    Disk,
    Memory,
}

/// How many of the first outcomes hold at most so many bytes together; at least one, if there is one.
pub(super) fn within(outcomes: &[Finalization], max_bytes: usize) -> usize {
    let mut bytes = 0;
    let fits = outcomes.iter().take_while(|outcome| {
        let is_first = bytes == 0;
        bytes += outcome.size_bytes();
        is_first || bytes <= max_bytes
    });
    fits.count()
}
