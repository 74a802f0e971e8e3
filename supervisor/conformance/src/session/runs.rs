//! Whole runs: from an Execute to its Idle.

use muster_protocol::{
    CallResult, CodeSource, ErrorInfo, JsonBytes, LogRecord, RunOutcome, ToSupervisor, ToWorker,
};
use serde_json::{Value, json};

use super::WorkerSession;
use super::talk::shown;
use crate::failure::CheckFailure;

/// The grace of every Execute and Cancel of the kit.
pub(crate) const GRACE_MS: u32 = 1_000;

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: RunOutcome,
    pub(crate) records: Vec<LogRecord>,
    /// The most records one Log held.
    pub(crate) batch_max: usize,
    /// What Finished said of the number of records.
    pub(crate) log_records: u64,
    /// What Idle said of the worker's use, once it was heard.
    pub(crate) asks_recycle: bool,
}

impl WorkerSession {
    /// The next Execute of a `conformance.` workflow, not said yet.
    pub(crate) fn execute(&mut self, workflow: &str, params: &Value) -> (u32, ToWorker) {
        self.last_run += 1;
        let run = self.last_run;
        let context =
            json!({ "organization": null, "workflow": { "id": null, "name": workflow }, "config": {} });
        let execute = ToWorker::Execute {
            run,
            execution_id: format!("00000000-0000-7000-8000-{run:012}"),
            attempt: 1,
            workflow: format!("conformance.{workflow}"),
            source: CodeSource::Named,
            params: JsonBytes::of(params),
            context: JsonBytes::of(&context),
            timeout_ms: 0,
            grace_ms: GRACE_MS,
        };
        (run, execute)
    }

    /// Says an Execute and waits for its Started.
    pub(crate) async fn begin(&mut self, workflow: &str, params: &Value) -> Result<u32, CheckFailure> {
        let (run, execute) = self.execute(workflow, params);
        self.send(&execute).await?;
        self.started(run).await?;
        Ok(run)
    }

    /// Waits for Started.
    pub(crate) async fn started(&mut self, run: u32) -> Result<(), CheckFailure> {
        let expected = format!("Started of run {run}");
        match self.hear_of_run(run, &expected).await? {
            ToSupervisor::Started { run: started } if started == run => Ok(()),
            other => Err(self.fault(expected, shown(&other)).await),
        }
    }

    /// The next message that is no answer to a Ping or a Dump, and no record of an earlier run or of none: those may
    /// come at any time.
    async fn hear_of_run(&mut self, run: u32, expected: &str) -> Result<ToSupervisor, CheckFailure> {
        loop {
            match self.expect_message(expected).await? {
                ToSupervisor::Pong { .. } | ToSupervisor::Stacks { .. } => {}
                ToSupervisor::Log { run: logging, .. } if logging < run => {}
                message => return Ok(message),
            }
        }
    }

    /// A run from Execute to Idle.
    pub(crate) async fn run(&mut self, workflow: &str, params: &Value) -> Result<Ended, CheckFailure> {
        let (run, execute) = self.execute(workflow, params);
        self.send(&execute).await?;
        self.whole(run).await
    }

    /// From Started, or a Rejected without one, to Idle.
    pub(crate) async fn whole(&mut self, run: u32) -> Result<Ended, CheckFailure> {
        let expected = format!("Started of run {run}, or Finished with Rejected");
        match self.hear_of_run(run, &expected).await? {
            ToSupervisor::Started { run: started } if started == run => self.until_idle(run).await,
            ToSupervisor::Finished {
                run: finished,
                outcome: outcome @ RunOutcome::Rejected { .. },
                log_records,
                ..
            } if finished == run => {
                let asks_recycle = self.idle(run).await?;
                Ok(Ended { outcome, records: Vec::new(), batch_max: 0, log_records, asks_recycle })
            }
            other => Err(self.fault(expected, shown(&other)).await),
        }
    }

    /// From before Started to Finished.
    pub(crate) async fn until_finished_from_start(&mut self, run: u32) -> Result<Ended, CheckFailure> {
        self.started(run).await?;
        self.until_finished(run).await
    }

    /// From after Started to Idle.
    pub(crate) async fn until_idle(&mut self, run: u32) -> Result<Ended, CheckFailure> {
        let ended = self.until_finished(run).await?;
        self.idle(run).await?;
        Ok(ended)
    }

    /// From after Started to Finished. A Call is answered with UnknownMethod, which no check here waits for.
    pub(crate) async fn until_finished(&mut self, run: u32) -> Result<Ended, CheckFailure> {
        let expected = format!("Finished of run {run}");
        let (mut records, mut batch_max) = (Vec::new(), 0);
        loop {
            match self.hear_of_run(run, &expected).await? {
                ToSupervisor::Finished { run: finished, outcome, log_records, .. } if finished == run => {
                    return Ok(Ended { outcome, records, batch_max, log_records, asks_recycle: false });
                }
                ToSupervisor::Log { run: logging, records: batch } if logging == run => {
                    batch_max = batch_max.max(batch.len());
                    records.extend(batch);
                }
                ToSupervisor::Progress { run: going, .. } if going == run => {}
                ToSupervisor::Call { run: calling, call, method, .. } if calling == run => {
                    let error = ErrorInfo::new("UnknownMethod", format!("no method named '{method}'"));
                    self.send(&ToWorker::Reply { run, call, result: CallResult::Err { error } }).await?;
                }
                other => return Err(self.fault(expected, shown(&other)).await),
            }
        }
    }

    /// Waits for Idle, which must be what follows Finished. True when the worker asks to be replaced.
    pub(crate) async fn idle(&mut self, run: u32) -> Result<bool, CheckFailure> {
        let expected = format!("Idle of run {run} after its one Finished");
        match self.hear_of_run(run, &expected).await? {
            ToSupervisor::Idle { run: idle, recycle, .. } if idle == run => Ok(recycle),
            other => Err(self.fault(expected, shown(&other)).await),
        }
    }

    /// The worker is as good as before: it echoes.
    pub(crate) async fn still_works(&mut self, after: &str) -> Result<(), CheckFailure> {
        let word = json!({ "word": format!("after {after}") });
        let ended = self.run("echo", &word).await?;
        self.must_return(&ended, &word, &format!("an echo after {after}")).await
    }

    /// The run must have succeeded. Gives its result.
    pub(crate) async fn must_succeed(&mut self, ended: &Ended, what: &str) -> Result<Value, CheckFailure> {
        if let RunOutcome::Succeeded { result } = &ended.outcome
            && let Ok(result) = result.parse()
        {
            return Ok(result);
        }
        let seen = brief(&format!("{:?}", ended.outcome));
        Err(self.fault(format!("conformance.{what} succeeds"), seen).await)
    }

    /// The run must have succeeded with this value.
    pub(crate) async fn must_return(
        &mut self,
        ended: &Ended,
        value: &Value,
        what: &str,
    ) -> Result<(), CheckFailure> {
        if let RunOutcome::Succeeded { result } = &ended.outcome
            && result.parse::<Value>().is_ok_and(|result| result == *value)
        {
            return Ok(());
        }
        let expected = format!("{what} returns {}", brief(&value.to_string()));
        Err(self.fault(expected, brief(&format!("{:?}", ended.outcome))).await)
    }
}

/// The beginning of a text.
pub(crate) fn brief(text: &str) -> String {
    const BRIEF_CHARS: usize = 200;
    match text.char_indices().nth(BRIEF_CHARS) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
