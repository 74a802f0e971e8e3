//! Submits Muster executions from an application and waits for their results. Blocking: a thread for each that waits.
//!
//! ```no_run
//! use std::time::Duration;
//! use muster_client::{MusterClient, NewExecution};
//! use serde_json::json;
//!
//! let client = MusterClient::find()?;
//! let id = client.submit(&NewExecution::of("greet", &json!({ "name": "Ada" }))?)?;
//! let greeting: String = client.result(id, Some(Duration::from_secs(30)))?;
//! # Ok::<(), muster_client::MusterError>(())
//! ```
//!
//! A supervisor that does not answer is asked again for a while. A submission has its id from here, so that one which is
//! repeated is the same execution.

mod asking;
mod client;
mod error;
mod request;
mod row;
mod token;

pub use client::{LIST_PAGE, MusterClient, RowPages};
pub use error::MusterError;
pub use request::NewExecution;
pub use row::{ExecutionRow, LogRow, PauseRow, ReasonRow, RowStatus, Submission};
