//! The wire between a Muster supervisor and its worker processes: types and bytes.
//!
//! A worker talks to its supervisor over its standard streams in length-delimited frames, one
//! message each. This crate holds every message of version 1 ([`ToSupervisor`], [`ToWorker`]), how a
//! message becomes bytes and back ([`codec`]), how bytes are cut into frames ([`frame`]), and the
//! line-by-line JSON spelling of the same messages ([`json`]) that lets a shell script be a worker.
//!
//! It does no I/O of its own beyond the small blocking reader and writer a worker needs, starts no
//! runtime and has no unsafe code. `SPEC.md` beside this crate describes the same wire for people who
//! write a worker in another language; `vectors/` holds golden bytes that any language can test against.

pub mod codec;
pub mod compare;
pub mod frame;
pub mod json;
pub mod limits;
pub mod transcript;
pub mod value;
pub mod wire;

mod description;
mod message;
mod names;
mod screen;
mod shared;

pub use description::{BrokenFile, DeclaredConcurrency, DeclaredRetry, WorkflowDescription};
pub use message::{ToSupervisor, ToWorker};
pub use names::{error_type, exit_code, feature, method};
pub use screen::spelled_out;
pub use shared::{
    CallResult, CancelReason, CodeSource, ErrorInfo, JsonBytes, LogLevel, LogRecord, RunMetrics, RunOutcome,
    TextBytes,
};

/// The oldest and the newest protocol version this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// The environment variable that tells a worker executable to serve frames instead of being a
/// command-line program. Its value is the newest version the supervisor speaks.
pub const PROTOCOL_ENV: &str = "MUSTER_PROTOCOL";

/// The environment variable that names one worker process and no other.
pub const WORKER_ID_ENV: &str = "MUSTER_WORKER_ID";

/// The environment variable with the number of the descriptor that is a template's end of its channel.
pub const TEMPLATE_FD_ENV: &str = "MUSTER_TEMPLATE_FD";

/// The environment variable that switches on the workflows of the conformance kit.
pub const CONFORMANCE_ENV: &str = "MUSTER_CONFORMANCE";
