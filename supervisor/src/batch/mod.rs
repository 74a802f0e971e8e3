//! A file of executions, run to the end without a service.
//!
//! Lines become requests, outcomes become result lines in input order, and the whole becomes a summary and an
//! exit code: all that is plain and synchronous. [`runner`] runs the requests through the same dispatcher, executor and
//! finalizer as the service, which [`engine`] puts together.

mod engine;
mod error;
mod given_up;
mod input;
mod lines;
mod order;
mod outcome;
mod queue;
mod runner;
mod store;
mod summary;

pub use engine::{Batch, run};
pub use error::BatchError;
pub use input::{BadLine, Input, InputError, InputLine};
pub use lines::{InputLines, read_lines};
pub use order::InOrder;
pub use outcome::{ReportResults, ResultLine};
pub use store::BatchStore;
pub use summary::Summary;
