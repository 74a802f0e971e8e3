//! The Rust SDK for Muster workers: write workflows as Rust functions, and make them a worker executable.
//!
//! A [`Worker`] holds workflows by name; its [`main`](Worker::main) serves a supervisor, or runs one workflow
//! in a terminal. A workflow is a function of its parameters (anything serde can read) and a [`Context`], and
//! gives a result (anything serde can write) or a [`WorkflowError`]. `examples/rust_worker.rs` is a whole one.
//!
//! [`testing`] runs a workflow in a unit test.
//!
//! The `worker` binary of this package is such a worker too: it runs JavaScript.

mod command;
mod conformance;
mod engine;
mod javascript;
mod names;
mod run;
mod sdk;
mod serve;
pub mod testing;
mod trusted;
mod worker;

pub use muster_protocol::{CancelReason, LogLevel};
pub use run::{CancelRequest, RunContext};
pub use sdk::{ConfigHandle, Context, LogHandle, StateHandle, WorkflowError, WorkflowPolicy};
pub use worker::Worker;
