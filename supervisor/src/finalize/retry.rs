//! Whether and when a failed execution is tried again. Pure: what it draws on is given to it.

use std::time::Duration;

use muster_protocol::{DeclaredRetry, ErrorInfo, error_type};

/// The wait before the first retry of a request that does not say.
const DEFAULT_BACKOFF: Duration = Duration::from_secs(1);
/// How the wait grows from one retry to the next when the code does not say.
const DOUBLED_PERCENT: u32 = 200;
/// No retry waits longer.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

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
    pub(super) fn next(&self, error: &ErrorInfo) -> Option<(Duration, u32)> {
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

    fn failed(kind: &str, retryable: Option<bool>) -> ErrorInfo {
        ErrorInfo { retryable, ..ErrorInfo::new(kind, "no") }
    }

    fn delay(error: &ErrorInfo, policy: RetryPolicy) -> Option<u64> {
        policy.next(error).map(|(delay, _)| delay.as_secs())
    }

    #[test]
    fn a_user_failure_is_final_unless_retries_were_asked_for() {
        assert_eq!(delay(&failed("ValueError", None), policy(None, 1)), None);
        assert_eq!(delay(&failed("ValueError", None), policy(Some(1), 1)), None);
        assert_eq!(delay(&failed("ValueError", None), policy(Some(3), 1)), Some(2));
        assert_eq!(delay(&failed("ValueError", None), policy(Some(3), 2)), Some(4));
        assert_eq!(delay(&failed("ValueError", None), policy(Some(3), 3)), None);
    }

    #[test]
    fn the_worker_may_say_that_a_retry_is_of_no_use() {
        assert_eq!(delay(&failed("ValueError", Some(false)), policy(Some(3), 1)), None);
        assert_eq!(delay(&failed(error_type::WORKFLOW_NOT_FOUND, None), policy(Some(3), 1)), None);
        assert_eq!(delay(&failed(error_type::WORKER_CRASHED, None), policy(Some(3), 1)), Some(2));
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
            [1, 2, 3].map(|charged| delay(&failed("Busy", None), policy(charged))),
            [Some(3), Some(9), Some(10)]
        );
        assert_eq!(delay(&failed("Busy", None), policy(4)), None);
        assert_eq!(delay(&failed("Fatal", None), policy(1)), None);
        let stated =
            RetryPolicy { user_attempts: Some(2), backoff: Some(Duration::from_secs(1)), ..policy(1) };
        assert_eq!(delay(&failed("Busy", None), stated.clone()), Some(1));
        assert_eq!(delay(&failed("Busy", None), RetryPolicy { attempts_charged: 2, ..stated }), None);
        let only = DeclaredRetry { retry_on: vec!["Later".to_owned()], ..declared.clone() };
        let only = RetryPolicy { declared: only, ..policy(1) };
        assert_eq!(delay(&failed("Later", None), only.clone()), Some(3));
        assert_eq!(delay(&failed("Busy", None), only), None);
        let odd = DeclaredRetry {
            backoff_factor_percent: Some(u32::MAX),
            backoff_max_ms: None,
            ..declared.clone()
        };
        assert_eq!(delay(&failed("Busy", None), RetryPolicy { declared: odd, ..policy(3) }), Some(3600));
    }
}
