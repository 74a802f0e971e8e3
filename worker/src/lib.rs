//! The Rust SDK for Muster workers.

mod command;
mod engine;
mod javascript;
mod names;
mod run;
mod serve;
mod trusted;
mod worker;

pub use run::{CancelRequest, RunContext};
pub use worker::Worker;
