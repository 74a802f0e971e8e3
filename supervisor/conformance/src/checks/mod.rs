//! The conversations, one file per group of the catalogue, named as the checks are.

pub(super) mod calls;
pub(super) mod cancel;
pub(super) mod describe;
pub(super) mod drain;
pub(super) mod ending;
pub(super) mod execution;
pub(super) mod framing;
pub(super) mod growth;
pub(super) mod handshake;
pub(super) mod isolation;
pub(super) mod log;
pub(super) mod streams;
pub(super) mod template;
pub(super) mod values;
pub(super) mod watching;

use std::time::Duration;

use muster_protocol::RunOutcome;

use super::session::{Ended, WorkerSession};
use crate::failure::CheckFailure;

/// A worker whose supervisor is gone, or that was asked to leave while idle, is gone within this.
pub(super) const GONE_WITHIN: Duration = Duration::from_secs(2);
/// What a busy machine may add to a time the worker is held to.
pub(super) const SLACK: Duration = Duration::from_secs(1);
/// A sleep that no check waits out.
pub(super) const LONG_SECONDS: u32 = 120;

/// The run must have ended as asked, and not by itself.
async fn must_be_cancelled(
    session: &mut WorkerSession,
    ended: &Ended,
    what: &str,
) -> Result<(), CheckFailure> {
    match &ended.outcome {
        RunOutcome::Cancelled { .. } => Ok(()),
        other @ (RunOutcome::Succeeded { .. } | RunOutcome::Failed { .. } | RunOutcome::Rejected { .. }) => {
            let expected = format!("{what} ends the run with Outcome Cancelled");
            Err(session.fault(expected, super::session::brief(&format!("{other:?}"))).await)
        }
    }
}
