//! Call and Reply.

use std::collections::BTreeSet;

use muster_protocol::limits::CALLS_IN_FLIGHT_MAX;
use muster_protocol::{CallResult, ErrorInfo, JsonBytes, RunOutcome, ToSupervisor, ToWorker, method};
use serde_json::{Value, json};

use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{WorkerSession, brief, shown};

fn reply(run: u32, call: u32, value: &Value) -> ToWorker {
    ToWorker::Reply { run, call, result: CallResult::Ok { value: JsonBytes::of(value) } }
}

/// Starts so many Calls and hears them all before any is answered. Gives their numbers.
async fn waiting(session: &mut WorkerSession, count: usize) -> Result<(u32, Vec<u32>), CheckFailure> {
    let params = json!({ "key": "größe" });
    let asked = json!({ "method": method::CONFIG_GET, "params": params, "count": count });
    let run = session.begin("call", &asked).await?;
    let mut calls = Vec::new();
    while calls.len() < count {
        let expected = format!("Call {} of {count}, before any is answered", calls.len() + 1);
        match session.expect_message(&expected).await? {
            ToSupervisor::Call { run: calling, call, method, params: sent }
                if calling == run
                    && method == muster_protocol::method::CONFIG_GET
                    && sent.parse::<Value>().is_ok_and(|sent| sent == params) =>
            {
                calls.push(call);
            }
            ToSupervisor::Log { .. } | ToSupervisor::Progress { .. } => {}
            other => return Err(session.fault(expected, shown(&other)).await),
        }
    }
    if calls.iter().collect::<BTreeSet<_>>().len() != count {
        let seen = brief(&format!("{calls:?}"));
        return Err(session.fault("each Call of a run has a number of its own", seen).await);
    }
    Ok((run, calls))
}

pub(crate) async fn call(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, calls) = waiting(&mut session, 1).await?;
    let value = json!({ "region": "eu-1", "größe": [1, null] });
    session.send(&reply(run, calls[0], &value)).await?;
    let ended = session.until_idle(run).await?;
    session.must_return(&ended, &json!([value]), "a Call").await
}

/// All the calls a run may have waiting, answered last first.
pub(crate) async fn at_once(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, calls) = waiting(&mut session, CALLS_IN_FLIGHT_MAX).await?;
    for (place, &call) in calls.iter().enumerate().rev() {
        session.send(&reply(run, call, &json!(place))).await?;
    }
    let ended = session.until_idle(run).await?;
    let places: Vec<_> = (0..CALLS_IN_FLIGHT_MAX).collect();
    session
        .must_return(&ended, &json!(places), "64 Calls, answered last first, each get their own Reply:")
        .await
}

pub(crate) async fn unknown_method(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let asked = json!({ "method": "conformance.no_such_method", "params": {}, "count": 1 });
    let run = session.begin("call", &asked).await?;
    // The session answers every Call with UnknownMethod.
    let ended = session.until_idle(run).await?;
    let right = matches!(&ended.outcome, RunOutcome::Failed { error } if error.kind == "UnknownMethod");
    if !right {
        let expected =
            "a Call answered with an error fails the workflow that does not catch it, with its kind";
        return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
    }
    session.still_works("an unknown method").await
}

/// A Reply to nobody: of a run that is over, and of a call that was never made.
pub(crate) async fn late_reply(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, calls) = waiting(&mut session, 1).await?;
    let error = ErrorInfo::new("NotThis", "of a call nobody made");
    let stray = calls[0].wrapping_add(1_000);
    session.send(&ToWorker::Reply { run, call: stray, result: CallResult::Err { error } }).await?;
    session.send(&reply(run, calls[0], &json!(1))).await?;
    let ended = session.until_idle(run).await?;
    session.must_return(&ended, &json!([1]), "a Call beside a Reply to nobody").await?;
    session.send(&reply(run, calls[0], &json!(2))).await?;
    session.still_works("a Reply to a run that is over").await
}
