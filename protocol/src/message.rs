//! Every message of version 1, one enum per direction.
//!
//! A message's layout is frozen for ever: variants are only appended, new information travels in a new
//! message. The order of the variants is their number on the wire.

mod to_supervisor;
mod to_worker;

pub use to_supervisor::ToSupervisor;
pub use to_worker::ToWorker;
