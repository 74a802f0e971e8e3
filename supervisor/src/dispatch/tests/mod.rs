//! The room from its two ends: claims go in, a fake executor runs them, rows are what comes out.
//!
//! The store is SQLite on the memory of the system, so that what is claimed, fenced and finalized is by the rules
//! that hold in production. One file of tests for each file of the room.

mod claims;
mod dispatcher;
mod leases;
mod line;
mod peers;
mod poll;
mod prepare;
mod run_reporter;
mod start_health;

pub(crate) use line::{LineOptions, TestLine, eventually, heard, request};
