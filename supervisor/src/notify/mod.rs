//! After the commit: telling others what came of an execution, and hearing what they want.
//!
//! [`notifier`] publishes the outcomes that were committed, [`sweep`] those that a crash left unpublished, and
//! [`control_commands`] carries out what comes over the bus. Nothing here decides an outcome.

pub(crate) mod control_commands;
mod notifier;
pub(crate) mod sweep;
#[cfg(test)]
mod tests;

pub use notifier::Notifier;
