//! Invariants by name.

use muster_intake::rabbitmq::consumer::ConsumerInvariant;

/// Fails with the invariant's name and what was seen instead.
#[track_caller]
pub(crate) fn require(holds: bool, invariant: ConsumerInvariant, seen: impl FnOnce() -> String) {
    assert!(holds, "{}: {}", invariant.id(), seen());
}
