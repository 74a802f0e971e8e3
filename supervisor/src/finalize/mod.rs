//! Finalization: what a run left becomes its row, exactly once.
//!
//! [`outcome`] decides what an outcome means for the row, and [`retry`] whether there is another attempt; [`finalizer`] takes outcomes, and [`writer`] commits them in
//! groups. Nothing is published before it is committed, and nothing is thrown away while the database is out of reach:
//! [`recovery`] tries it again, and [`disk_reserve`] sees to the space for it before anything runs.

mod disk_reserve;
mod finalizer;
mod outbox;
mod outcome;
mod proof;
mod recovery;
mod refused;
mod retry;
mod sink;
mod spill;
mod writer;

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod tests;

pub use disk_reserve::Admission;
pub use finalizer::{Finalizer, SpillFiles};
pub use outbox::{OutboxError, OutcomeOutbox};
pub use outcome::{ParentRun, finalization};
pub use refused::{RefusalCause, RefusedOutcome};
pub use retry::RetryPolicy;
pub use sink::{Finalized, FinalizedSink};
