//! What an execution is, in the words every other module uses.
//!
//! Plain data: no I/O, no SQL, no frames.

mod attempt;
mod change;
pub mod check;
mod completed;
mod config;
mod derived_id;
mod draft;
mod end_cause;
mod id;
mod invariant;
mod log;
mod request;
mod retry;
mod secrets;
mod start_window;
mod status;
mod transcript_policy;

#[cfg(test)]
mod request_tests;

pub use attempt::Attempt;
pub use change::Change;
pub use completed::{CompletedRun, RunEnding, RunEvent};
pub use config::RunConfig;
pub use derived_id::{derived_id, is_derived_id};
pub use draft::{InvalidRequest, RequestDraft};
pub use end_cause::{
    EndCause, EndCauseFields, EndKind, EscalationStep, KillReason, MemoryJudge, ResourceLimit,
};
pub use id::{IdOrPrefix, IdPrefix, InvalidId};
pub use invariant::DeliveryInvariant;
pub use log::{LogLine, LogStream};
pub use request::{ExecutionRequest, Target};
pub use retry::RetryOptions;
pub use secrets::Secrets;
pub use start_window::StartWindow;
pub use status::{Status, UnknownStatus};
pub use transcript_policy::TranscriptPolicy;
