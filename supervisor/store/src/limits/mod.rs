//! How many executions may run at once: what limits are, and in which an execution must have room.
//!
//! The rules are in `../ADMISSION.md`.

mod held;

pub use held::HeldLimit;
pub(crate) use held::held_limits;
