//! Standard streams in the hands of user code: nothing it prints reaches the wire, nothing it reads comes from it.

use muster_protocol::RunOutcome;
use serde_json::{Value, json};

use super::{GONE_WITHIN, LONG_SECONDS, SLACK};
use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{PATIENCE, brief};

/// What user code prints: begins like no message, and holds one.
const PRINTED: &str = "stray 6c1f {\"Finished\":{\"run\":1}}";

pub(crate) async fn print(bench: &Workbench) -> Checked {
    printed(bench, "print", json!({ "text": PRINTED, "count": 3 })).await
}

pub(crate) async fn raw_print(bench: &Workbench) -> Checked {
    printed(bench, "raw_print", json!({ "text": PRINTED })).await
}

pub(crate) async fn child_print(bench: &Workbench) -> Checked {
    printed(bench, "child_print", json!({ "text": PRINTED })).await
}

/// The text must be found on stderr, or in a record of the run.
async fn printed(bench: &Workbench, workflow: &str, params: Value) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run(workflow, &params).await?;
    if !matches!(ended.outcome, RunOutcome::Succeeded { .. }) {
        let expected = format!("conformance.{workflow} succeeds");
        return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
    }
    let logged = ended.records.iter().any(|record| record.message.contains(PRINTED));
    if !logged && !session.stderr_holds(PRINTED, PATIENCE).await {
        let expected = format!("what conformance.{workflow} prints is on stderr or in the log");
        return Err(session.fault(expected, "it is in neither").await);
    }
    session.still_works("a print").await
}

pub(crate) async fn stdin(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("stdin", &json!({})).await?;
    session.must_return(&ended, &json!(""), "reading descriptor 0 in user code").await?;
    session.still_works("reading descriptor 0").await
}

/// A process that user code leaves behind holds none of the wire's descriptors.
pub(crate) async fn held_pipes(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("hold_pipes", &json!({ "seconds": LONG_SECONDS })).await?;
    if !matches!(ended.outcome, RunOutcome::Succeeded { .. }) {
        let seen = brief(&format!("{:?}", ended.outcome));
        return Err(session.fault("conformance.hold_pipes succeeds", seen).await);
    }
    session.still_works("a grandchild was left behind").await?;
    session.hang_up();
    let expected = "the frames' pipe ends with the worker although a grandchild lives on";
    session.hear_the_end(expected, GONE_WITHIN + SLACK).await?;
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(_) => Ok(()),
        None => Err(session.fault("the worker ends although a grandchild lives on", "it lives on").await),
    }
}
