//! How the process ends: with its supervisor, by a signal, by user code.

use muster_core::process::ExitStatus;
use muster_protocol::ToSupervisor;
use serde_json::{Value, json};

use super::{GONE_WITHIN, LONG_SECONDS, SLACK};
use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{NextFrame, WorkerSession, shown};

/// The exit code that user code is asked to end with.
const EXIT_CODE: i32 = 7;

pub(crate) async fn stdin_end_idle(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.still_works("Ready").await?;
    session.hang_up();
    session.hear_the_end("nothing is said after the end of stdin", GONE_WITHIN + SLACK).await?;
    let expected = "an idle worker exits with 0 within 2 s of the end of stdin";
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(ExitStatus::Code(0)) => Ok(()),
        Some(status) => Err(session.fault(expected, status.to_string()).await),
        None => Err(session.fault(expected, "it lives on").await),
    }
}

pub(crate) async fn stdin_end_running(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let run = session.begin("sleep", &json!({ "seconds": LONG_SECONDS })).await?;
    session.hang_up();
    must_die(&mut session, run, "a running worker is gone within 2 s of the end of stdin").await
}

pub(crate) async fn terminate_idle(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.group().terminate();
    must_die(&mut session, 0, "an idle worker is gone within 2 s of SIGTERM").await
}

pub(crate) async fn terminate_running(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let run = session.begin("sleep", &json!({ "seconds": LONG_SECONDS })).await?;
    session.group().terminate();
    // The worker may end with its run, or live on without it.
    let expected = "a run ends within 2 s of SIGTERM";
    loop {
        match session.next(GONE_WITHIN + SLACK).await {
            Ok(NextFrame::End) => return Ok(()),
            Ok(NextFrame::Message(ToSupervisor::Finished { run: finished, .. })) if finished == run => {
                return Ok(());
            }
            Ok(NextFrame::Message(message)) if is_last_words(&message, run) => {}
            Ok(NextFrame::Message(message)) => return Err(session.fault(expected, shown(&message)).await),
            Ok(NextFrame::Later) => {}
            Err(seen) => return Err(session.fault(expected, seen).await),
        }
    }
}

/// The worker may still end the run and say Goodbye, and then it must be gone.
async fn must_die(session: &mut WorkerSession, run: u32, expected: &str) -> Checked {
    loop {
        match session.next(GONE_WITHIN + SLACK).await {
            Ok(NextFrame::End) => break,
            Ok(NextFrame::Message(message)) if is_last_words(&message, run) => {}
            Ok(NextFrame::Message(message)) => return Err(session.fault(expected, shown(&message)).await),
            Ok(NextFrame::Later) => {}
            Err(seen) => return Err(session.fault(expected, seen).await),
        }
    }
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(_) => Ok(()),
        None => Err(session.fault(expected, "stdout ended and the process lives on").await),
    }
}

fn is_last_words(message: &ToSupervisor, ended: u32) -> bool {
    match message {
        ToSupervisor::Goodbye { .. } => true,
        ToSupervisor::Log { run, .. }
        | ToSupervisor::Finished { run, .. }
        | ToSupervisor::Idle { run, .. }
        | ToSupervisor::Stacks { run, .. } => *run == ended,
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::InitFailed { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Progress { .. }
        | ToSupervisor::Call { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Describe { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. } => false,
    }
}

pub(crate) async fn crash(bench: &Workbench) -> Checked {
    ends_by_itself(bench, "crash", &json!({}), ExitStatus::Signal(9)).await
}

pub(crate) async fn exit(bench: &Workbench) -> Checked {
    ends_by_itself(bench, "exit", &json!({ "code": EXIT_CODE }), ExitStatus::Code(EXIT_CODE)).await
}

/// User code that ends the process shows in its exit status, and in no Finished.
async fn ends_by_itself(bench: &Workbench, workflow: &str, params: &Value, status: ExitStatus) -> Checked {
    let mut session = bench.ready().await?;
    session.begin(workflow, params).await?;
    let expected = format!("conformance.{workflow} ends the process with {status}, and says no more");
    session.hear_the_end(&expected, GONE_WITHIN + SLACK).await?;
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(seen) if seen == status => Ok(()),
        Some(seen) => Err(session.fault(expected, seen.to_string()).await),
        None => Err(session.fault(expected, "the process lives on").await),
    }
}
