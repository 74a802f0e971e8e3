//! A file of executions, run to the end without a service.
//!
//! Here are the parts around the pool: lines become requests, outcomes become result lines in input order,
//! and the whole becomes a summary and an exit code. All of it is plain and synchronous.

mod input;
mod order;
mod outcome;
mod summary;

pub use input::{BadLine, Input, InputError, Line};
pub use order::InOrder;
pub use outcome::ResultLine;
pub use summary::Summary;
