//! Finalization: what a run left becomes its row, exactly once.
//!
//! [`outcome`] decides what an outcome means for the row; [`writer`] commits outcomes in groups. Nothing is published
//! before it is committed, and nothing is thrown away while the database is out of reach: [`disk_reserve`] sees to the
//! space for it before anything runs.

mod disk_reserve;
mod outbox;
mod outcome;
mod refused;
mod spill;
mod writer;

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod tests;

pub use disk_reserve::Admission;
pub use outbox::{OutboxError, OutcomeOutbox};
pub use outcome::{RetryPolicy, finalization};
pub use refused::{RefusalCause, RefusedOutcome};
pub use writer::{Finalized, FinalizedSink, Finalizer, SpillFiles};
