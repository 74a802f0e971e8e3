//! Slots: free, reserved for a moment, or taken by runs.

use muster_core::pool::PoolTime;
use muster_intake::rabbitmq::consumer::ConsumerInvariant;

use crate::simulator::require;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slots {
    free: usize,
    wanted: Option<(usize, PoolTime)>,
    reserved: Option<usize>,
}

impl Slots {
    pub(crate) fn new(free: usize) -> Self {
        Self { free, wanted: None, reserved: None }
    }

    pub(crate) fn wanted_since(&self) -> Option<PoolTime> {
        self.wanted.map(|(_, since)| since)
    }

    pub(crate) fn want(&mut self, most: usize, now: PoolTime) {
        require(self.wanted.is_none(), ConsumerInvariant::SlotsAccounted, || "slots are wanted twice".into());
        assert!(most > 0);
        self.wanted = Some((most, now));
    }

    pub(crate) fn abandon(&mut self) {
        let wanted = self.wanted.take();
        require(wanted.is_some(), ConsumerInvariant::SlotsAccounted, || "no slots were wanted".into());
    }

    /// Somebody may have the slots that are free, if somebody wants any.
    pub(crate) fn give(&mut self) -> Option<usize> {
        let (most, _) = self.wanted.filter(|_| self.free > 0)?;
        let slots = most.min(self.free);
        self.free -= slots;
        (self.wanted, self.reserved) = (None, Some(slots));
        Some(slots)
    }

    /// The step in which slots were given is over.
    pub(crate) fn check_used(&self) {
        let none_left = self.reserved.is_none();
        require(none_left, ConsumerInvariant::SlotsAccounted, || "reserved slots are kept".into());
    }

    pub(crate) fn release(&mut self) {
        let reserved = self.reserved.take();
        require(reserved.is_some(), ConsumerInvariant::SlotsAccounted, || "nothing was reserved".into());
        self.free += reserved.unwrap_or(0);
    }

    /// A claim takes one for each execution, and gives back those beyond.
    pub(crate) fn claim(&mut self, executions: usize) {
        let reserved = self.reserved.take();
        require(reserved.is_some(), ConsumerInvariant::SlotsAccounted, || "nothing was reserved".into());
        let reserved = reserved.unwrap_or(0);
        require(executions <= reserved, ConsumerInvariant::ClaimFits, || {
            format!("{executions} are claimed with {reserved} slots")
        });
        self.free += reserved.saturating_sub(executions);
    }

    /// Somebody else takes all that are free.
    pub(crate) fn take_all(&mut self) -> usize {
        std::mem::take(&mut self.free)
    }

    pub(crate) fn give_back(&mut self, slots: usize) {
        self.free += slots;
    }
}
