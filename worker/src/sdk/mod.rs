//! What a workflow written in Rust sees: its context, its errors, and how it is registered.

mod context;
mod error;
mod handles;
mod json;
mod native;
mod number_search;
mod policy;
mod trace;

pub use context::Context;
pub use error::WorkflowError;
pub use handles::{ConfigHandle, LogHandle, StateHandle};
pub(crate) use json::write as write_json;
pub(crate) use native::NativeEngine;
pub use policy::WorkflowPolicy;
