//! What an execution is, in the words every other module uses.
//!
//! Plain data: no I/O, no SQL, no frames.

mod attempt;
mod status;

pub use attempt::Attempt;
pub use status::{Status, UnknownStatus};
