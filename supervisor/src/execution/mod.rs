//! What an execution is, in the words every other module uses.
//!
//! Plain data: no I/O, no SQL, no frames.

mod attempt;
mod change;
mod log;
mod status;

pub use attempt::Attempt;
pub use change::Change;
pub use log::{LogLine, LogStream};
pub use status::{Status, UnknownStatus};
