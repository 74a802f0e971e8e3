//! What a supervisor decides, and what it decides about. Nothing here reads a clock, draws a random number, awaits, or
//! touches a process, a disk or a network, so that a simulation of it links none of them.

pub mod access;
pub mod execution;
pub mod fleet;
pub mod invariant;
pub mod json;
pub mod limit;
pub mod nearest;
pub mod pool;
pub mod process;
pub mod schedule;
pub mod shares;
pub mod statistics;
pub mod webhook;
