//! Invariants by name, in the simulations of every machine.

use muster_core::invariant::Invariant;

/// Fails with the invariant's name and what was seen instead.
#[track_caller]
pub(crate) fn require<I: Invariant>(holds: bool, invariant: I, seen: impl FnOnce() -> String) {
    assert!(holds, "{}: {}", invariant.id(), seen());
}
