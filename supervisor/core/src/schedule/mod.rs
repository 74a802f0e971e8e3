//! When schedules tick: lines of cron, the moments they name in a time zone, and what follows from a tick that is due.
//!
//! All of it is pure: no clock is read here. An evaluator of our own, because the rules at the nights when clocks change
//! are ours to promise, and the well-known crates have others, and a second database of time zones.

mod cron;
mod decision;
mod moments;

#[cfg(test)]
mod tests;

pub use cron::{Cron, InvalidCron};
pub use decision::{
    ExecutionsBefore, Missed, Overlap, ScheduleRules, ScheduleStanding, SkipReason, TickDecision, decide,
};
pub use moments::ScheduleTimes;
