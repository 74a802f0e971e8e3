//! Shares: whose executions start next, so that every organization has its part of the workers' time.
//!
//! What counts is worker time, not starts: one with runs of ten seconds and one with runs of a second each get half of
//! the workers while both have something to do. What was used is forgotten over a minute, so nobody pays for yesterday,
//! and nobody saves up for tomorrow. Which rows there are and where the numbers are kept is not decided here.

mod allot;
mod ledger;
#[cfg(test)]
mod tests;

pub use allot::{Share, allot};
pub use ledger::{ShareLedger, decayed};
