//! Schedules: workflows that run by themselves.
//!
//! What a line of cron means, and what follows from a tick that is due, is decided in [`muster_core::schedule`]; who makes
//! the execution of a tick, in the store. Here the words of a row become rules, and a tick becomes a request. The id of the
//! execution follows from schedule and moment, so that a tick cannot be two executions. The loop is in `service`.

mod tick;

pub use muster_api::{MISSED_SECONDS, MissedWord, OverlapWord, UTC};
pub use tick::{execution_of, rules, tick_id};
