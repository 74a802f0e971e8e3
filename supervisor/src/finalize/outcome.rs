//! What the end of a run means for its row. Pure: no clock, no database.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{
    Change, CompletedRun, EndCause, ExecutionRequest, RetryOptions, RunEnding, RunEvent, StartWindow, Target,
};
use muster_core::json;
use muster_protocol::{ErrorInfo, JsonBytes, RunMetrics, error_type};
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, NewEvent, NewExecution, StateChange,
    StateWrite,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::retry::RetryPolicy;

/// A released execution waits up to this long before the next claim. It doubles with each release before, up to
/// [`RELEASE_BACKOFF_MAX`].
const RELEASE_BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait after a release, so that what cannot be run for a while does not use up its releases
/// meanwhile.
const RELEASE_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The run that ended, as far as what it submitted takes after it.
#[derive(Debug)]
pub struct ParentRun<'a> {
    /// The execution that it was an attempt at.
    pub execution: &'a NewExecution,
    /// The trace context that it was told.
    pub traceparent: Option<String>,
}

/// What the store writes for the end of a run, or `None` when another supervisor owns the execution.
pub fn finalization(
    completed: CompletedRun,
    owner: Uuid,
    parent: &ParentRun<'_>,
    retry: RetryPolicy,
) -> Option<Finalization> {
    let disposition = disposition(completed.ending, completed.attempt.number, retry)?;
    let (changes, children) = split(completed.changes, completed.organization_id, parent);
    Some(Finalization {
        attempt: completed.attempt,
        owner,
        disposition,
        started_at: completed.started_at_us.map(timestamp),
        completed_at: timestamp(completed.finished_at_us),
        duration_ms: completed.duration.map(round_ms),
        metrics: completed.metrics.as_ref().and_then(metrics_json),
        end_cause: completed.end_cause.as_deref().and_then(end_cause_json),
        logs: completed.logs,
        changes,
        children,
        events: completed.events.into_iter().map(event).collect(),
    })
}

fn disposition(ending: RunEnding, attempt: u32, retry: RetryPolicy) -> Option<Disposition> {
    Some(match ending {
        RunEnding::Succeeded { result } => Disposition::Terminal(succeeded(result)),
        RunEnding::Failed { error }
            if retry.others_may_know && error.kind == error_type::WORKFLOW_NOT_FOUND =>
        {
            let delay = release_delay(attempt, &retry);
            Disposition::UnknownHere { failure: failure(error), delay }
        }
        RunEnding::Failed { error } => match retry.next(&error) {
            Some((delay, max_attempts)) => {
                Disposition::Retry { failure: failure(error), delay, max_attempts }
            }
            None => Disposition::Terminal(ExecutionOutcome::Failed(failure(error))),
        },
        RunEnding::TimedOut { message } => Disposition::Terminal(ExecutionOutcome::TimedOut(
            ExecutionFailure::new(error_type::TIMEOUT, message),
        )),
        RunEnding::Cancelled { message } => Disposition::Terminal(ExecutionOutcome::Cancelled(
            ExecutionFailure::new(error_type::CANCELLED, message),
        )),
        RunEnding::Released { reason, charged } => {
            let delay = release_delay(attempt, &retry);
            Disposition::Release { reason, delay, charged }
        }
        RunEnding::Superseded => return None,
    })
}

/// How long what goes back without a failure of its own waits. The first wait may be nothing: another supervisor may be
/// free. Later ones are never short.
fn release_delay(attempt: u32, retry: &RetryPolicy) -> Duration {
    let releases = attempt.saturating_sub(retry.attempts_charged).min(20);
    let longest = RELEASE_BACKOFF.saturating_mul(1 << releases).min(RELEASE_BACKOFF_MAX);
    let shortest = if releases == 0 { Duration::ZERO } else { longest / 2 };
    shortest + (longest - shortest).mul_f64(retry.jitter)
}

/// A result must be JSON; it is passed on as the worker wrote it.
fn succeeded(result: JsonBytes) -> ExecutionOutcome {
    if result.is_none() {
        return ExecutionOutcome::Success { result: RawValue::NULL.to_owned() };
    }
    let text = result.into_text().map_err(|error| error.to_string());
    let checked = match text.and_then(|text| RawValue::from_string(text).map_err(|error| error.to_string())) {
        Ok(result) => json::check(result.get(), "result").map(|()| result),
        Err(error) => Err(format!("the result is not JSON ({error}): the worker must send JSON text")),
    };
    match checked {
        Ok(result) => ExecutionOutcome::Success { result },
        Err(message) => ExecutionOutcome::Failed(ExecutionFailure::new(error_type::INVALID_RESULT, message)),
    }
}

fn failure(error: ErrorInfo) -> ExecutionFailure {
    let stack = Some(error.stack).filter(|stack| !stack.is_empty());
    ExecutionFailure { error_type: error.kind, message: error.message, stack }
}

/// Writes to state, and the executions to be submitted, apart. Both are in the scope the run had, which is not the
/// caller's when the workflow has an organization of its own.
fn split(
    changes: Vec<Change>,
    organization_id: Option<Uuid>,
    parent: &ParentRun<'_>,
) -> (Vec<StateChange>, Vec<NewExecution>) {
    let (mut state, mut children) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::SetState { key, value } => {
                state.push(StateChange { organization_id, key, write: StateWrite::Set(value) });
            }
            Change::DeleteState { key } => {
                state.push(StateChange { organization_id, key, write: StateWrite::Delete });
            }
            Change::Submit { execution_id, workflow, parameters } => {
                children.push(child(execution_id, workflow, parameters, organization_id, parent));
            }
        }
    }
    (state, children)
}

/// A child runs in the parent's scope, for its caller and in its trace, below the run that submitted it.
fn child(
    id: Uuid,
    workflow: String,
    parameters: Box<RawValue>,
    organization_id: Option<Uuid>,
    ParentRun { execution: parent, traceparent }: &ParentRun<'_>,
) -> NewExecution {
    let request = ExecutionRequest {
        execution_id: id,
        target: Target::Name { workflow },
        parameters,
        organization_id,
        caller: parent.caller.clone(),
        startup: None,
        form_id: None,
        api_key_id: None,
        timeout_seconds: None,
        max_attempts: None,
        retry_backoff_seconds: None,
        retry: RetryOptions::default(),
        sync: false,
        priority: parent.priority,
        queue: parent.queue.clone(),
        limits: Vec::new(),
        window: StartWindow::default(),
        idempotency_key: None,
        idempotency_seconds: None,
        traceparent: traceparent.clone(),
        webhook: None,
    };
    // What its workflow says of a queue comes before its parent's.
    NewExecution { is_queue_default: true, ..NewExecution::of(&request, parent.max_attempts) }
}

fn event(event: RunEvent) -> NewEvent {
    NewEvent { at: timestamp(event.at_us), event: event.event.to_owned(), detail: event.detail }
}

fn metrics_json(metrics: &RunMetrics) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(metrics).ok()
}

fn end_cause_json(cause: &EndCause) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(cause).ok()
}

fn timestamp(unix_us: i64) -> Timestamp {
    Timestamp::from_microsecond(unix_us).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn round_ms(duration: Duration) -> u64 {
    u64::try_from((duration.as_micros() + 500) / 1000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(user_attempts: Option<u32>) -> RetryPolicy {
        let stated = RetryOptions { max_attempts: user_attempts, ..RetryOptions::default() };
        RetryPolicy { stated, attempts_charged: 1, ..RetryPolicy::default() }
    }

    #[test]
    fn timeouts_and_cancels_are_never_retried() {
        let (timeout, cancel) = (String::new(), String::new());
        for ending in [RunEnding::TimedOut { message: timeout }, RunEnding::Cancelled { message: cancel }] {
            assert!(matches!(disposition(ending, 1, policy(Some(9))), Some(Disposition::Terminal(_))));
        }
    }

    #[test]
    fn a_failure_that_may_help_is_tried_again_and_another_is_final() {
        let failed = || RunEnding::Failed { error: ErrorInfo::new("ValueError", "no") };
        let retried = disposition(failed(), 1, policy(Some(3)));
        assert!(matches!(retried, Some(Disposition::Retry { max_attempts: 3, .. })), "{retried:?}");
        assert!(matches!(disposition(failed(), 1, policy(None)), Some(Disposition::Terminal(_))));
    }

    #[test]
    fn a_workflow_that_is_unknown_here_may_be_known_elsewhere() {
        let unknown =
            || RunEnding::Failed { error: ErrorInfo::new(error_type::WORKFLOW_NOT_FOUND, "no such file") };
        let alone = disposition(unknown(), 1, policy(Some(3)));
        assert!(matches!(alone, Some(Disposition::Terminal(_))), "{alone:?}");
        let among_others = RetryPolicy { others_may_know: true, jitter: 0.5, ..policy(None) };
        let released = disposition(unknown(), 2, among_others);
        assert!(
            matches!(&released, Some(Disposition::UnknownHere { delay, .. }) if delay.as_millis() == 750),
            "{released:?}"
        );
    }

    #[test]
    fn rule_9_what_is_released_again_and_again_waits_longer_each_time() {
        let release = |attempt| {
            let ending = RunEnding::Released { reason: String::new(), charged: false };
            match disposition(ending, attempt, RetryPolicy { jitter: 0.5, ..policy(None) }) {
                Some(Disposition::Release { delay, .. }) => delay.as_millis(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([1, 2, 3, 4].map(release), [250, 750, 1500, 3000]);
        assert_eq!(release(1000), 45_000);
    }

    #[test]
    fn a_result_that_is_not_json_fails_and_an_empty_one_is_null() {
        let outcome = succeeded(JsonBytes::from(b"{\"a\":".to_vec()));
        assert_eq!(outcome.failure().map(|failure| failure.error_type.as_str()), Some("InvalidResult"));
        let ExecutionOutcome::Success { result } = succeeded(JsonBytes::NONE) else { panic!() };
        assert_eq!(result.get(), "null");
    }

    #[test]
    fn a_result_out_of_bounds_fails_with_its_path() {
        for (result, path) in [
            (r#"{"rows":[{"name":"a\u0000b"}]}"#, "result.rows[0].name: holds the character U+0000"),
            (r#"["\ud83d"]"#, "result[0]: holds half of a surrogate pair"),
            ("1e100000", "result: is a number with an exponent beyond 400"),
        ] {
            let outcome = succeeded(JsonBytes::from(result));
            let failure = outcome.failure().unwrap();
            assert_eq!(failure.error_type, "InvalidResult");
            assert!(failure.message.starts_with(path), "{}", failure.message);
        }
    }

    #[test]
    fn children_are_started_from_what_was_submitted_byte_for_byte() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let caller = r#"{"user_id":"1","n":12345678901234567890123, "deep":106.18129360834155}"#;
        let parent = ExecutionRequest::parse(
            format!(r#"{{"execution_id":"{}","workflow":"p","caller":{caller}}}"#, Uuid::nil()).as_bytes(),
        );
        let parent = NewExecution::of(&parent.unwrap(), 3);
        let told = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = ParentRun { execution: &parent, traceparent: Some(told.to_owned()) };
        let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        for parameters in [
            r#"{"zz":12345678901234567890123,"aa":106.18129360834155, "zz":1e22}"#,
            &format!("1{}", "0".repeat(400)),
            "-0.0",
            &nested,
        ] {
            let child = child(Uuid::now_v7(), "c".to_owned(), raw(parameters), None, &parent);
            assert!(
                child.request.get().contains(&format!("\"parameters\":{parameters},")),
                "{}",
                child.request
            );
            let request = child.read_request().unwrap();
            assert_eq!(request.parameters.get(), parameters);
            assert_eq!(request.caller.unwrap().get(), caller);
            assert_eq!(request.traceparent.as_deref(), Some(told), "it is below the run that submitted it");
            assert_eq!(child.max_attempts, 3);
        }
    }

    #[test]
    fn what_another_supervisor_owns_writes_nothing() {
        assert!(disposition(RunEnding::Superseded, 1, policy(Some(3))).is_none());
    }
}
