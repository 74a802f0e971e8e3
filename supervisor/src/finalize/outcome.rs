//! What the end of a run means for its row. Pure: no clock, no database.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Change, CompletedRun, ExecutionRequest, RunEnding, RunEvent, Target};
use muster_core::json;
use muster_protocol::{DeclaredRetry, ErrorInfo, JsonBytes, RunMetrics, error_type};
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, NewEvent, NewExecution, StateChange,
    StateWrite,
};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The wait before the first retry of a request that does not say.
const DEFAULT_BACKOFF: Duration = Duration::from_secs(1);
/// How the wait grows from one retry to the next when the code does not say.
const DOUBLED_PERCENT: u32 = 200;
/// No retry waits longer.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// A released execution waits up to this long before the next claim. It doubles with each release before, up to
/// [`RELEASE_BACKOFF_MAX`].
const RELEASE_BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait after a release, so that what cannot be run for a while does not use up its releases
/// meanwhile.
const RELEASE_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Whether and when a failed execution is tried again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts a user failure may be charged; `None` when neither the request nor the workflow's row
    /// says.
    pub user_attempts: Option<u32>,
    /// How many attempts are charged, this one included.
    pub attempts_charged: u32,
    /// The wait before the first retry, if the request says.
    pub backoff: Option<Duration>,
    /// What the code declares about further attempts.
    pub declared: DeclaredRetry,
    /// A number in 0..1 that spreads the retries of executions that failed together.
    pub jitter: f64,
}

impl RetryPolicy {
    /// The next attempt after this failure: the wait before it and how many attempts there may be, or `None`
    /// when the failure is final.
    fn next(&self, error: &ErrorInfo) -> Option<(Duration, u32)> {
        let attempts = self.user_attempts.or(self.declared.max_attempts);
        let attempts = attempts.filter(|attempts| self.attempts_charged < *attempts)?;
        if attempts <= 1 || error.retryable == Some(false) || is_final(&error.kind) || self.gives_up_on(error)
        {
            return None;
        }
        Some((self.wait().mul_f64(1.0 + 0.25 * self.jitter), attempts))
    }

    fn gives_up_on(&self, error: &ErrorInfo) -> bool {
        let named = |list: &[String]| list.contains(&error.kind);
        let DeclaredRetry { retry_on, give_up_on, .. } = &self.declared;
        named(give_up_on) || !(retry_on.is_empty() || named(retry_on))
    }

    /// The wait before the next attempt: the first wait, longer by the factor with each attempt, within its bounds.
    fn wait(&self) -> Duration {
        let DeclaredRetry { backoff_ms, backoff_factor_percent, backoff_max_ms, .. } = &self.declared;
        let first = self.backoff.or(backoff_ms.map(Duration::from_millis)).unwrap_or(DEFAULT_BACKOFF);
        let longest =
            backoff_max_ms.map_or(BACKOFF_MAX, |longest| Duration::from_millis(longest).min(BACKOFF_MAX));
        let factor = f64::from(backoff_factor_percent.unwrap_or(DOUBLED_PERCENT)) / 100.0;
        let retries_before = i32::try_from(self.attempts_charged.saturating_sub(1)).unwrap_or(i32::MAX);
        let wait = first.as_secs_f64() * factor.powi(retries_before);
        // What is no time, or more than there is, is more than the longest.
        Duration::try_from_secs_f64(wait).map_or(longest, |wait| wait.min(longest))
    }
}

/// Failures that another attempt meets again.
fn is_final(kind: &str) -> bool {
    [
        error_type::WORKFLOW_NOT_FOUND,
        error_type::INVALID_REQUEST,
        error_type::INVALID_RESULT,
        error_type::RESULT_TOO_LARGE,
        error_type::WORKER_INIT_FAILED,
    ]
    .contains(&kind)
}

/// What the store writes for the end of a run, or `None` when another supervisor owns the execution.
pub fn finalization(
    completed: CompletedRun,
    owner: Uuid,
    execution: &NewExecution,
    retry: RetryPolicy,
) -> Option<Finalization> {
    let disposition = disposition(completed.ending, completed.attempt.number, retry)?;
    let (changes, children) = split(completed.changes, completed.organization_id, execution);
    Some(Finalization {
        attempt: completed.attempt,
        owner,
        disposition,
        started_at: completed.started_at_us.map(timestamp),
        completed_at: timestamp(completed.finished_at_us),
        duration_ms: completed.duration.map(round_ms),
        metrics: completed.metrics.as_ref().and_then(metrics_json),
        logs: completed.logs,
        changes,
        children,
        events: completed.events.into_iter().map(event).collect(),
    })
}

fn disposition(ending: RunEnding, attempt: u32, retry: RetryPolicy) -> Option<Disposition> {
    Some(match ending {
        RunEnding::Succeeded { result } => Disposition::Terminal(succeeded(result)),
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
            let releases = attempt.saturating_sub(retry.attempts_charged).min(20);
            let longest = RELEASE_BACKOFF.saturating_mul(1 << releases).min(RELEASE_BACKOFF_MAX);
            // The first wait may be nothing: another supervisor may be free. Later ones are never short.
            let shortest = if releases == 0 { Duration::ZERO } else { longest / 2 };
            let delay = shortest + (longest - shortest).mul_f64(retry.jitter);
            Disposition::Release { reason, delay, charged }
        }
        RunEnding::Superseded => return None,
    })
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
    parent: &NewExecution,
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

/// A child runs in the parent's scope and for its caller.
fn child(
    id: Uuid,
    workflow: String,
    parameters: Box<RawValue>,
    organization_id: Option<Uuid>,
    parent: &NewExecution,
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
        sync: false,
        priority: parent.priority,
        traceparent: None,
    };
    NewExecution::of(&request, parent.max_attempts)
}

fn event(event: RunEvent) -> NewEvent {
    NewEvent { at: timestamp(event.at_us), event: event.event.to_owned(), detail: event.detail }
}

fn metrics_json(metrics: &RunMetrics) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(metrics).ok()
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

    fn policy(user_attempts: Option<u32>, attempts_charged: u32) -> RetryPolicy {
        RetryPolicy {
            user_attempts,
            attempts_charged,
            backoff: Some(Duration::from_secs(2)),
            ..RetryPolicy::default()
        }
    }

    fn failed(kind: &str, retryable: Option<bool>) -> RunEnding {
        RunEnding::Failed { error: ErrorInfo { retryable, ..ErrorInfo::new(kind, "no") } }
    }

    fn delay(ending: RunEnding, policy: RetryPolicy) -> Option<u64> {
        match disposition(ending, 1, policy) {
            Some(Disposition::Retry { delay, .. }) => Some(delay.as_secs()),
            Some(Disposition::Terminal(_) | Disposition::Release { .. }) | None => None,
        }
    }

    #[test]
    fn a_user_failure_is_final_unless_retries_were_asked_for() {
        assert_eq!(delay(failed("ValueError", None), policy(None, 1)), None);
        assert_eq!(delay(failed("ValueError", None), policy(Some(1), 1)), None);
        assert_eq!(delay(failed("ValueError", None), policy(Some(3), 1)), Some(2));
        assert_eq!(delay(failed("ValueError", None), policy(Some(3), 2)), Some(4));
        assert_eq!(delay(failed("ValueError", None), policy(Some(3), 3)), None);
    }

    #[test]
    fn the_worker_may_say_that_a_retry_is_of_no_use() {
        assert_eq!(delay(failed("ValueError", Some(false)), policy(Some(3), 1)), None);
        assert_eq!(delay(failed(error_type::WORKFLOW_NOT_FOUND, None), policy(Some(3), 1)), None);
        assert_eq!(delay(failed(error_type::WORKER_CRASHED, None), policy(Some(3), 1)), Some(2));
    }

    #[test]
    fn what_the_code_declares_counts_where_the_request_says_nothing() {
        let declared = DeclaredRetry {
            max_attempts: Some(4),
            backoff_ms: Some(3000),
            backoff_factor_percent: Some(300),
            backoff_max_ms: Some(10_000),
            retry_on: Vec::new(),
            give_up_on: vec!["Fatal".to_owned()],
        };
        let policy = |attempts_charged| RetryPolicy {
            attempts_charged,
            declared: declared.clone(),
            ..RetryPolicy::default()
        };
        assert_eq!(
            [1, 2, 3].map(|charged| delay(failed("Busy", None), policy(charged))),
            [Some(3), Some(9), Some(10)]
        );
        assert_eq!(delay(failed("Busy", None), policy(4)), None);
        assert_eq!(delay(failed("Fatal", None), policy(1)), None);
        let stated =
            RetryPolicy { user_attempts: Some(2), backoff: Some(Duration::from_secs(1)), ..policy(1) };
        assert_eq!(delay(failed("Busy", None), stated.clone()), Some(1));
        assert_eq!(delay(failed("Busy", None), RetryPolicy { attempts_charged: 2, ..stated }), None);
        let only = DeclaredRetry { retry_on: vec!["Later".to_owned()], ..declared.clone() };
        let only = RetryPolicy { declared: only, ..policy(1) };
        assert_eq!(delay(failed("Later", None), only.clone()), Some(3));
        assert_eq!(delay(failed("Busy", None), only), None);
        let odd = DeclaredRetry {
            backoff_factor_percent: Some(u32::MAX),
            backoff_max_ms: None,
            ..declared.clone()
        };
        assert_eq!(delay(failed("Busy", None), RetryPolicy { declared: odd, ..policy(3) }), Some(3600));
    }

    #[test]
    fn timeouts_and_cancels_are_never_retried() {
        let message = String::new();
        assert_eq!(delay(RunEnding::TimedOut { message: message.clone() }, policy(Some(9), 1)), None);
        assert_eq!(delay(RunEnding::Cancelled { message }, policy(Some(9), 1)), None);
    }

    #[test]
    fn rule_9_what_is_released_again_and_again_waits_longer_each_time() {
        let release = |attempt| {
            let ending = RunEnding::Released { reason: String::new(), charged: false };
            match disposition(ending, attempt, RetryPolicy { jitter: 0.5, ..policy(None, 1) }) {
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
            assert_eq!(child.max_attempts, 3);
        }
    }

    #[test]
    fn what_another_supervisor_owns_writes_nothing() {
        assert!(disposition(RunEnding::Superseded, 1, policy(Some(3), 1)).is_none());
    }
}
