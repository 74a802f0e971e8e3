//! Finalization: what a run left becomes its row, exactly once.
//!
//! [`outcome`] decides what an end means for the row; [`writer`] commits ends in groups. Nothing is published
//! before it is committed, and nothing is thrown away while the database is out of reach.

mod outbox;
mod outcome;
mod parked;
mod writer;

pub use outbox::{Outbox, OutboxError};
pub use outcome::{RetryPolicy, finalization};
pub use writer::{Finalized, Finalizer, Sink};
