//! Runs: their order of messages, their outcomes, one after another.

use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::{CodeSource, RunOutcome, ToWorker, error_type};
use serde_json::json;

use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{WorkerSession, brief};

/// How many executions a worker takes one after another.
const ROW_EXECUTIONS: u32 = 200;
/// What Finished needs beside its result, generously.
const FINISHED_BYTES: usize = 1024;

pub(crate) async fn echo(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let word = json!({ "word": "echo" });
    let ended = session.run("echo", &word).await?;
    session.must_return(&ended, &word, "conformance.echo").await
}

pub(crate) async fn failure(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    for (kind, message) in [("BadLuck", "not today"), ("Größer", "two\nlines, \"quoted\", 10 €")] {
        let ended = session.run("fail", &json!({ "kind": kind, "message": message })).await?;
        let right = matches!(&ended.outcome, RunOutcome::Failed { error }
            if error.kind == kind && error.message == message);
        if !right {
            let expected = format!("Failed with kind {kind:?} and message {message:?}, word for word");
            return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
        }
    }
    session.still_works("a failure").await
}

pub(crate) async fn unknown_workflow(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("no_such_workflow", &json!({})).await?;
    must_be_rejected(&mut session, &ended.outcome, "a workflow nobody has").await?;
    session.still_works("a workflow nobody has").await
}

pub(crate) async fn path_outside(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    for path in ["../outside.js", "/etc/passwd", "a/../../b.py"] {
        let (run, mut execute) = session.execute("outside", &json!({}));
        if let ToWorker::Execute { source, .. } = &mut execute {
            *source = CodeSource::Path { path: path.to_owned(), function: String::new() };
        }
        session.send(&execute).await?;
        let ended = session.whole(run).await?;
        must_be_rejected(&mut session, &ended.outcome, &format!("the path {path}")).await?;
    }
    session.still_works("a path outside").await
}

async fn must_be_rejected(session: &mut WorkerSession, outcome: &RunOutcome, what: &str) -> Checked {
    match outcome {
        RunOutcome::Rejected { .. } => Ok(()),
        RunOutcome::Succeeded { .. } | RunOutcome::Failed { .. } | RunOutcome::Cancelled { .. } => {
            let seen = brief(&format!("{outcome:?}"));
            Err(session.fault(format!("{what} is answered with Rejected"), seen).await)
        }
    }
}

pub(crate) async fn in_a_row(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    for number in 0..ROW_EXECUTIONS {
        let value = json!({ "number": number });
        let ended = session.run("echo", &value).await?;
        session.must_return(&ended, &value, &format!("execution {number} of {ROW_EXECUTIONS}")).await?;
    }
    Ok(())
}

pub(crate) async fn big_result(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let bytes = FRAME_MAX_BYTES - FINISHED_BYTES;
    let ended = session.run("big", &json!({ "bytes": bytes })).await?;
    let right = matches!(&ended.outcome, RunOutcome::Succeeded { result }
        if result.0.len() == bytes + 2 && result.0[1..=bytes].iter().all(|&byte| byte == b'x'));
    if !right {
        let expected = format!("conformance.big returns {bytes} times x, which just fits into a frame");
        return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
    }
    session.still_works("a big result").await
}

pub(crate) async fn result_too_large(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("big", &json!({ "bytes": FRAME_MAX_BYTES })).await?;
    let right =
        matches!(&ended.outcome, RunOutcome::Failed { error } if error.kind == error_type::RESULT_TOO_LARGE);
    if !right {
        let expected = "Failed with kind ResultTooLarge for a result that fits into no frame";
        return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
    }
    session.still_works("a result too large").await
}
