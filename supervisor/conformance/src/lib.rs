//! The conformance kit: plays the supervisor to any executable and says what of the protocol it keeps.
//!
//! A check is one small conversation with a process of its own, which is killed at the end whatever happened.
//! A worker takes part by what it offers: its features in Hello, the workflows named `conformance.*` in Ready.
//! What it does not offer is not checked, and never counts as passed. Nothing here uses the pool: the kit
//! holds a worker to SPEC.md, not to how this supervisor happens to behave.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a check waits for one message; whatever else comes is told as what was seen, a later message too"
)]

mod bench;
mod catalogue;
mod check;
mod checks;
mod failure;
mod junit;
mod peer;
mod report;
mod run;
mod session;

pub use catalogue::{Description, describe};
pub use check::{CheckGroup, ConformanceLevel};
pub use junit::junit;
pub use peer::{HeardFrame, UnheardFrame, WorkerPeer};
pub use report::{CheckEntry, CheckVerdict, ConformanceReport, ReportedWorker};
pub use run::{CheckedWorker, KitError, check_worker};
