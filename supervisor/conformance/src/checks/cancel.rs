//! Cancel, and the time limit that leads to one.

use std::time::{Duration, Instant};

use muster_protocol::{CancelReason, RunOutcome, ToSupervisor, ToWorker};
use serde_json::json;

use super::{GONE_WITHIN, LONG_SECONDS, SLACK, must_be_cancelled};
use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{GRACE_MS, NextFrame, WorkerSession, shown};

/// How long a worker that ignores everything is given before each signal.
const SHORT_GRACE: Duration = Duration::from_millis(300);
/// The time limit of the run that meets it.
const TIMEOUT: Duration = Duration::from_millis(300);

pub(super) fn cancel(run: u32, reason: CancelReason) -> ToWorker {
    ToWorker::Cancel { run, reason, message: "check-worker says so".to_owned(), grace_ms: GRACE_MS }
}

/// A run that sleeps until it is cancelled.
async fn asleep(bench: &Workbench) -> Result<(WorkerSession, u32), CheckFailure> {
    let mut session = bench.ready().await?;
    let run = session.begin("sleep", &json!({ "seconds": LONG_SECONDS })).await?;
    Ok((session, run))
}

pub(crate) async fn running(bench: &Workbench) -> Checked {
    let (mut session, run) = asleep(bench).await?;
    session.send(&cancel(run, CancelReason::User)).await?;
    ends_in_time(&mut session, run).await?;
    session.still_works("a cancelled run").await
}

/// The run must end within its grace, and be Cancelled.
async fn ends_in_time(session: &mut WorkerSession, run: u32) -> Checked {
    let asked = Instant::now();
    let ended = session.until_finished(run).await?;
    let took = asked.elapsed();
    must_be_cancelled(session, &ended, "a Cancel").await?;
    if took > Duration::from_millis(GRACE_MS.into()) + SLACK {
        return Err(session.fault("the run ends within the grace of 1 s", format!("it took {took:?}")).await);
    }
    session.idle(run).await?;
    Ok(())
}

pub(crate) async fn idle(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.send(&cancel(1, CancelReason::User)).await?;
    session.still_works("a Cancel before its run").await?;
    session.send(&cancel(1, CancelReason::User)).await?;
    session.send(&cancel(77, CancelReason::Shutdown)).await?;
    session.still_works("a Cancel of a run that is over").await
}

/// The Cancel arrives with the Execute, while the run ends or even before it began: any outcome is right,
/// and there is exactly one.
pub(crate) async fn finishing(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    for _ in 0..20 {
        let (run, execute) = session.execute("echo", &json!("short"));
        let bytes = session.bytes_of(&[&execute, &cancel(run, CancelReason::User)])?;
        session.write(&bytes).await?;
        let ended = session.until_finished_from_start(run).await?;
        let legal = matches!(ended.outcome, RunOutcome::Succeeded { .. } | RunOutcome::Cancelled { .. });
        if !legal {
            let expected = "a run that is cancelled while it ends is Succeeded or Cancelled";
            return Err(session.fault(expected, format!("{:?}", ended.outcome)).await);
        }
        session.idle(run).await?;
    }
    session.still_works("a Cancel that crossed the Finished").await
}

pub(crate) async fn twice(bench: &Workbench) -> Checked {
    let (mut session, run) = asleep(bench).await?;
    let first = cancel(run, CancelReason::User);
    let second = cancel(run, CancelReason::Shutdown);
    let bytes = session.bytes_of(&[&first, &second])?;
    session.write(&bytes).await?;
    ends_in_time(&mut session, run).await?;
    session.send(&second).await?;
    session.still_works("a run cancelled twice").await
}

/// User code that swallows everything dies with its process group.
pub(crate) async fn ignored(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let run = session.begin("ignore_cancel", &json!({ "seconds": LONG_SECONDS })).await?;
    session.send(&cancel(run, CancelReason::User)).await?;
    // The grace, shortened: user code that swallows a Cancel lets it pass. What it says meanwhile does not matter.
    let _ = session.next(SHORT_GRACE).await;
    session.group().terminate();
    let _ = session.next(SHORT_GRACE).await;
    session.group().kill_members();
    let expected = "SIGKILL to the process group ends a worker that ignores everything else";
    if !session.stdout_ends(GONE_WITHIN + SLACK).await {
        return Err(session.fault(expected, "something holds its stdout open").await);
    }
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(_) => Ok(()),
        None => Err(session.fault(expected, "it lives on").await),
    }
}

/// The worker may hold the limit itself, but not before its time. If it does not, the kit cancels it.
pub(crate) async fn deadline(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, mut execute) = session.execute("sleep", &json!({ "seconds": LONG_SECONDS }));
    if let ToWorker::Execute { timeout_ms, .. } = &mut execute {
        *timeout_ms = u64::try_from(TIMEOUT.as_millis()).unwrap_or_default();
    }
    // The limit counts from Started, which is not before this.
    let asked = Instant::now();
    session.send(&execute).await?;
    session.started(run).await?;
    let expected = "a run with a time limit ends with Outcome Cancelled, not before the limit";
    match session.next(TIMEOUT).await {
        Ok(NextFrame::Message(ToSupervisor::Finished { outcome: RunOutcome::Cancelled { .. }, .. }))
            if asked.elapsed() >= TIMEOUT =>
        {
            session.idle(run).await?;
        }
        Ok(NextFrame::Message(message)) => return Err(session.fault(expected, shown(&message)).await),
        Ok(NextFrame::Later | NextFrame::End) => {
            return Err(session.fault(expected, "the end of stdout").await);
        }
        // Nothing yet: the limit is the supervisor's to hold.
        Err(_) => {
            session.send(&cancel(run, CancelReason::Timeout)).await?;
            ends_in_time(&mut session, run).await?;
        }
    }
    session.still_works("a run over its time").await
}
