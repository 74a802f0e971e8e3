//! Finalization: what a run left becomes its row, exactly once.
//!
//! [`outcome`] decides what an end means for the row; [`writer`] commits ends in groups. Nothing is published
//! before it is committed, and nothing is thrown away while the database is out of reach: [`room`] sees to the
//! space for it before anything runs.

mod outbox;
mod outcome;
mod parked;
mod refused;
mod room;
mod writer;

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod tests;

pub use outbox::{Outbox, OutboxError};
pub use outcome::{RetryPolicy, finalization};
pub use refused::{Cause, RefusedEnd};
pub use room::Doors;
pub use writer::{Files, Finalized, Finalizer, Sink};
