//! Runs that follow each other in one process do not meet: what one leaves behind keeps its identity, and what it changes is
//! put back. And a file that does not come back while it is loaded costs its own workflows only.

use std::path::Path;
use std::time::Duration;

use muster_protocol::{CallResult, CancelReason, ErrorInfo, JsonBytes, ToSupervisor, ToWorker, method};
use serde_json::{Value, json};

use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{Ended, WorkerSession, brief, shown, welcome_in};

/// What was left behind may have been ended with its run; it is not waited for any longer than this.
const LEFT_SPEAKS_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked whether it has spoken.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What a file may take to be loaded when one hangs.
const LOAD_SECONDS: u64 = 1;
/// What the rest of that start may take on a busy machine.
const LOADED_SLACK: Duration = Duration::from_secs(7);
/// What the log record of it is called.
const LEFT: &str = "left behind";
/// The answer to whoever speaks in the name of the second run.
const OF_THE_SECOND: &str = "of the second run";

/// What was left behind by a first run did while a second one waited for the answer to a call.
struct Lingering {
    session: WorkerSession,
    /// The second run, as it ended.
    second: Ended,
    /// Calls of the second run, its own among them.
    calls_of_second: usize,
    /// What became of its call, in its own words. Nothing when it was ended with its run.
    told: Option<String>,
}

pub(crate) async fn late_log(bench: &Workbench) -> Checked {
    let mut seen = linger(bench).await?;
    if let Some(record) = seen.second.records.iter().find(|record| record.message.contains(LEFT)) {
        let seen_text = format!("{:?} in a Log of the next run", record.message);
        let expected = "what a run left behind logs under the number of its own run, or of none";
        return Err(seen.session.fault(expected, seen_text).await);
    }
    seen.session.still_works("a late log").await
}

pub(crate) async fn late_call(bench: &Workbench) -> Checked {
    let mut seen = linger(bench).await?;
    let is_answered = seen.told.as_deref() == Some("answered");
    if seen.calls_of_second > 1 || is_answered {
        let told = seen.told.as_deref().unwrap_or("nothing");
        let seen_text =
            format!("{} calls of the next run, and what was left was told: {told}", seen.calls_of_second);
        let expected =
            "a call of what a run left behind is refused, and never made in the name of the next run";
        return Err(seen.session.fault(expected, seen_text).await);
    }
    seen.session.still_works("a late call").await
}

/// A first run leaves something behind, which speaks while a second one is on.
async fn linger(bench: &Workbench) -> Result<Lingering, CheckFailure> {
    let folder = scratch_folder()?;
    let [until, done] = ["until", "done"].map(|name| folder.path().join(name));
    let mut session = bench.ready().await?;
    let ended = session.run("linger", &json!({ "until": until, "done": done })).await?;
    session.must_succeed(&ended, "linger, at once,").await?;
    let asked = json!({ "method": method::CONFIG_GET, "params": { "key": "mine" }, "count": 1 });
    let run = session.begin("call", &asked).await?;
    let call = hear_call(&mut session, run).await?;
    std::fs::write(&until, "").map_err(|error| CheckFailure::NotChecked(error.to_string()))?;
    let mut seen = Heard { calls_of_second: 1, records: Vec::new() };
    let told = tokio::select! {
        told = content_of(&done) => told,
        failure = answer_all(&mut session, run, &mut seen) => return Err(failure),
    };
    session.send(&reply(run, call, &json!(OF_THE_SECOND))).await?;
    let mut second = session.until_idle(run).await?;
    session.must_return(&second, &json!([OF_THE_SECOND]), "the call of the run that is on").await?;
    second.records.append(&mut seen.records);
    Ok(Lingering { session, second, calls_of_second: seen.calls_of_second, told })
}

/// What came in the name of the second run while what the first one left spoke.
struct Heard {
    calls_of_second: usize,
    records: Vec<muster_protocol::LogRecord>,
}

/// Answers whatever is asked: in the name of the second run as a supervisor does, in that of the first that it is over.
async fn answer_all(session: &mut WorkerSession, second: u32, heard: &mut Heard) -> CheckFailure {
    let expected = "logs and calls of what a run left behind";
    loop {
        let message = match session.expect_message(expected).await {
            Ok(message) => message,
            Err(failure) => return failure,
        };
        let sent = match message {
            ToSupervisor::Call { run, call, .. } if run == second => {
                heard.calls_of_second += 1;
                session.send(&reply(run, call, &json!("of the wrong run"))).await
            }
            ToSupervisor::Call { run, call, .. } => {
                let error = ErrorInfo::new("RunEnded", format!("run {run} is over"));
                session.send(&ToWorker::Reply { run, call, result: CallResult::Err { error } }).await
            }
            ToSupervisor::Log { run, records } => {
                heard.records.extend(if run == second { records } else { Vec::new() });
                Ok(())
            }
            ToSupervisor::Progress { .. } | ToSupervisor::Pong { .. } | ToSupervisor::Stacks { .. } => Ok(()),
            other => return session.fault(expected, shown(&other)).await,
        };
        if let Err(failure) = sent {
            return failure;
        }
    }
}

/// What is in the file, once there is something.
async fn content_of(file: &Path) -> Option<String> {
    let content = async {
        loop {
            match std::fs::read_to_string(file) {
                Ok(text) if !text.is_empty() => return text,
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    tokio::time::timeout(LEFT_SPEAKS_WITHIN, content).await.ok()
}

fn reply(run: u32, call: u32, value: &Value) -> ToWorker {
    ToWorker::Reply { run, call, result: CallResult::Ok { value: JsonBytes::of(value) } }
}

async fn hear_call(session: &mut WorkerSession, run: u32) -> Result<u32, CheckFailure> {
    let expected = format!("the Call of run {run}");
    loop {
        match session.expect_message(&expected).await? {
            ToSupervisor::Call { run: calling, call, .. } if calling == run => return Ok(call),
            ToSupervisor::Log { .. } | ToSupervisor::Progress { .. } => {}
            other => return Err(session.fault(expected, shown(&other)).await),
        }
    }
}

/// A run is cancelled while it waits for a Reply, which comes when the next run waits for its own.
pub(crate) async fn other_reply(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let asked = json!({ "method": method::CONFIG_GET, "params": { "key": "mine" }, "count": 1 });
    let first = session.begin("call", &asked).await?;
    let call_of_first = hear_call(&mut session, first).await?;
    session.send(&super::cancel::cancel(first, CancelReason::User)).await?;
    session.until_idle(first).await?;
    let second = session.begin("call", &asked).await?;
    let call = hear_call(&mut session, second).await?;
    session.send(&reply(first, call_of_first, &json!("of the first run"))).await?;
    session.send(&reply(second, call, &json!(OF_THE_SECOND))).await?;
    let ended = session.until_idle(second).await?;
    session
        .must_return(&ended, &json!([OF_THE_SECOND]), "a Call beside the Reply to a Call of the run before")
        .await
}

/// The kit compares what a run finds before and after one that disturbed it; what that is, is the worker's to tell.
pub(crate) async fn put_back(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let before = surroundings(&mut session).await?;
    let disturbing = session.run("disturb", &json!({})).await?;
    session.must_succeed(&disturbing, "disturb").await?;
    if disturbing.asks_recycle {
        // The other right thing to do: it serves no other run.
        return Ok(());
    }
    let after = surroundings(&mut session).await?;
    if before == after {
        return Ok(());
    }
    let expected = format!("a run finds what the one before it found: {}", brief(&before.to_string()));
    Err(session.fault(expected, brief(&after.to_string())).await)
}

async fn surroundings(session: &mut WorkerSession) -> Result<Value, CheckFailure> {
    let ended = session.run("surroundings", &json!({})).await?;
    session.must_succeed(&ended, "surroundings").await
}

/// The folder holds a file that does not come back.
pub(crate) async fn bounded_loading(bench: &Workbench) -> Checked {
    let Some(file) = bench.hanging_file() else {
        let reason = "give a workflow file that hangs while it is loaded with --hanging-file";
        return Err(CheckFailure::NotChecked(reason.to_owned()));
    };
    let folder = scratch_folder()?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    let copied = std::fs::copy(file, folder.path().join(name));
    copied.map_err(|error| CheckFailure::NotChecked(format!("{}: {error}", file.display())))?;
    let mut session = bench.start().await?;
    let introduction = session.hello().await?;
    session.send(&welcome_in(folder.path(), LOAD_SECONDS, &introduction.features)).await?;
    let within = Duration::from_secs(LOAD_SECONDS) + LOADED_SLACK;
    let expected = format!("Ready, although a file hangs: worker_load_seconds is {LOAD_SECONDS}");
    match session.hear_within(&expected, within).await? {
        ToSupervisor::Ready { .. } => session.still_works("a file that hangs").await,
        other => Err(session.fault(expected, shown(&other)).await),
    }
}

fn scratch_folder() -> Result<tempfile::TempDir, CheckFailure> {
    tempfile::tempdir().map_err(|error| CheckFailure::NotChecked(format!("no temporary folder: {error}")))
}
