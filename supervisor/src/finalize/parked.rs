//! Ends that could not be written yet: on disk where there is an outbox, else in memory.

use super::outbox::Outbox;
use crate::store::Finalization;

/// Keeps ends in order until the store takes them.
#[derive(Debug, Default)]
pub(super) struct Parked {
    outbox: Option<Outbox>,
    /// What the disk did not take.
    memory: Vec<Finalization>,
}

impl Parked {
    pub(super) fn new(outbox: Option<Outbox>) -> Self {
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
        self.outbox.as_ref().map_or(0, Outbox::len)
    }

    /// Keeps these. When the disk does not take them they stay in memory, and the intake stays shut.
    pub(super) fn keep(&mut self, group: Vec<Finalization>) {
        let Some(outbox) = &mut self.outbox else { return self.memory.extend(group) };
        if let Err(error) = tokio::task::block_in_place(|| outbox.append(&group)) {
            tracing::error!(%error, count = group.len(), "outcomes are kept in memory only; do not stop this process");
            self.memory.extend(group);
        }
    }

    /// The oldest, at most so many. They stay until [`Parked::forget`].
    pub(super) fn oldest(&mut self, limit: usize) -> Vec<Finalization> {
        if let Some(outbox) = self.outbox.as_mut().filter(|outbox| !outbox.is_empty()) {
            match tokio::task::block_in_place(|| outbox.oldest(limit)) {
                Ok(oldest) => return oldest,
                Err(error) => tracing::error!(%error, "kept outcomes cannot be read back"),
            }
        }
        self.memory.iter().take(limit).cloned().collect()
    }

    /// The store has the oldest so many.
    pub(super) fn forget(&mut self, count: usize) {
        let Some(outbox) = self.outbox.as_mut().filter(|outbox| !outbox.is_empty()) else {
            self.memory.drain(..count.min(self.memory.len()));
            return;
        };
        if let Err(error) = tokio::task::block_in_place(|| outbox.forget(count)) {
            tracing::warn!(%error, "outcomes that are written may be replayed after a restart, which changes nothing");
        }
    }
}
