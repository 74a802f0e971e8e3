//! Drain: finish what runs, say Goodbye, exit with 0.

use muster_core::process::ExitStatus;
use muster_protocol::{ToSupervisor, ToWorker};
use serde_json::json;

use super::{GONE_WITHIN, SLACK};
use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{WorkerSession, shown};

/// Long enough for the Drain to find the run running.
const SHORT_SECONDS: f64 = 0.3;

pub(super) fn drain() -> ToWorker {
    ToWorker::Drain { reason: "check-worker says so".to_owned(), grace_ms: 5_000 }
}

pub(crate) async fn idle(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.send(&drain()).await?;
    let expected = "Goodbye in answer to Drain";
    match session.expect_message(expected).await? {
        ToSupervisor::Goodbye { .. } => leaves(&mut session).await,
        other => Err(session.fault(expected, shown(&other)).await),
    }
}

pub(crate) async fn running(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let run = session.begin("sleep", &json!({ "seconds": SHORT_SECONDS })).await?;
    session.send(&drain()).await?;
    let ended = session.until_finished(run).await?;
    if !matches!(ended.outcome, muster_protocol::RunOutcome::Succeeded { .. }) {
        let expected = "what runs when Drain comes is finished";
        return Err(session.fault(expected, format!("{:?}", ended.outcome)).await);
    }
    let expected = "Goodbye after the run that Drain found, with or without an Idle";
    loop {
        match session.expect_message(expected).await? {
            ToSupervisor::Goodbye { .. } => return leaves(&mut session).await,
            ToSupervisor::Idle { run: idle, .. } if idle == run => {}
            other => return Err(session.fault(expected, shown(&other)).await),
        }
    }
}

/// Goodbye is the last message, and the process ends with 0. Its stdin is still open.
pub(super) async fn leaves(session: &mut WorkerSession) -> Checked {
    session.hear_the_end("nothing follows Goodbye", GONE_WITHIN + SLACK).await?;
    let expected = "the worker exits with 0 after Goodbye";
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(ExitStatus::Code(0)) => Ok(()),
        Some(status) => Err(session.fault(expected, status.to_string()).await),
        None => Err(session.fault(expected, "it lives on").await),
    }
}
