//! Whether and when a failed execution is tried again. Pure: what it draws on is given to it.

use std::time::Duration;

use muster_core::execution::RetryOptions;
use muster_protocol::{DeclaredRetry, ErrorInfo, error_type};

/// The wait before the first retry when nobody says.
const BACKOFF_SECONDS: f64 = 1.0;
/// How the wait grows from one retry to the next when nobody says.
const BACKOFF_FACTOR: f64 = 2.0;
/// No retry waits longer, unless somebody says so.
const BACKOFF_MAX_SECONDS: f64 = 3600.0;
/// The longest wait anybody may ask for.
const BACKOFF_LIMIT_SECONDS: f64 = 86_400.0;
/// By how much of itself each wait is longer at most when nobody says.
const JITTER: f64 = 0.25;

/// Whether and when a failed execution is tried again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPolicy {
    /// What the request and the workflow's row say.
    pub stated: RetryOptions,
    /// What the code declares: it counts where these say nothing.
    pub declared: DeclaredRetry,
    /// How many attempts are charged, this one included.
    pub attempts_charged: u32,
    /// Other supervisors claim from the same store, and their workers may know workflows that ours do not.
    pub others_may_know: bool,
    /// A number in 0..1 that spreads the retries of executions that failed together.
    pub jitter: f64,
}

impl RetryPolicy {
    /// The next attempt after this failure: the wait before it and how many attempts there may be, or `None`
    /// when the failure is final.
    pub(super) fn next(&self, error: &ErrorInfo) -> Option<(Duration, u32)> {
        let rule = self.rule();
        let attempts = rule.max_attempts.filter(|attempts| self.attempts_charged < *attempts)?;
        if attempts <= 1
            || error.retryable == Some(false)
            || is_final(&error.kind)
            || gives_up_on(&rule, error)
        {
            return None;
        }
        let jitter = rule.jitter.unwrap_or(JITTER) * self.jitter;
        Some((self.wait(&rule).mul_f64(1.0 + jitter), attempts))
    }

    /// What a failure of this attempt would lead to, for people; `None` when it would be the end.
    pub fn outlook(&self) -> Option<String> {
        let rule = self.rule();
        let attempts = rule.max_attempts.filter(|attempts| self.attempts_charged < *attempts)?;
        let wait = self.wait(&rule).as_secs_f64();
        let next = self.attempts_charged + 1;
        let only = rule
            .retry_on
            .filter(|names| !names.is_empty())
            .map(|names| format!(" with {}", names.join(" or ")));
        let but = rule
            .give_up_on
            .filter(|names| !names.is_empty())
            .map(|names| format!(", unless with {}", names.join(" or ")));
        let (only, but) = (only.unwrap_or_default(), but.unwrap_or_default());
        Some(format!(
            "if it fails{only}, attempt {next} of at most {attempts} follows about {wait:.1} s later{but}"
        ))
    }

    /// What holds in all.
    fn rule(&self) -> RetryOptions {
        self.stated.clone().or(declared(&self.declared))
    }

    /// The wait before the next attempt: the first wait, longer by the factor with each attempt, within its bounds.
    fn wait(&self, rule: &RetryOptions) -> Duration {
        let first = rule.backoff_seconds.unwrap_or(BACKOFF_SECONDS);
        let longest =
            rule.backoff_max_seconds.unwrap_or(BACKOFF_MAX_SECONDS.max(first)).min(BACKOFF_LIMIT_SECONDS);
        let factor = rule.backoff_factor.unwrap_or(BACKOFF_FACTOR);
        let retries_before = i32::try_from(self.attempts_charged.saturating_sub(1)).unwrap_or(i32::MAX);
        // What is no time, or more than there is, is more than the longest.
        let wait = first * factor.powi(retries_before);
        Duration::try_from_secs_f64(if wait < longest { wait } else { longest }).unwrap_or_default()
    }
}

/// What code declares, in the words of a request.
fn declared(declared: &DeclaredRetry) -> RetryOptions {
    let seconds = |milliseconds: u64| Duration::from_millis(milliseconds).as_secs_f64();
    let names = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
    RetryOptions {
        max_attempts: declared.max_attempts,
        backoff_seconds: declared.backoff_ms.map(seconds),
        backoff_factor: declared.backoff_factor_percent.map(|percent| f64::from(percent) / 100.0),
        backoff_max_seconds: declared.backoff_max_ms.map(seconds),
        jitter: None,
        retry_on: names(&declared.retry_on),
        give_up_on: names(&declared.give_up_on),
    }
}

fn gives_up_on(rule: &RetryOptions, error: &ErrorInfo) -> bool {
    let named = |list: &[String]| list.contains(&error.kind);
    let (retry_on, give_up_on) =
        (rule.retry_on.as_deref().unwrap_or_default(), rule.give_up_on.as_deref().unwrap_or_default());
    named(give_up_on) || !(retry_on.is_empty() || named(retry_on))
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

    fn stated(max_attempts: Option<u32>, backoff_seconds: Option<f64>) -> RetryOptions {
        RetryOptions { max_attempts, backoff_seconds, ..RetryOptions::default() }
    }

    fn policy(user_attempts: Option<u32>, attempts_charged: u32) -> RetryPolicy {
        RetryPolicy { stated: stated(user_attempts, Some(2.0)), attempts_charged, ..RetryPolicy::default() }
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
        let stated = RetryPolicy { stated: stated(Some(2), Some(1.0)), ..policy(1) };
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

    #[test]
    fn what_the_request_says_stands_above_what_the_code_declares_field_by_field() {
        let declared = DeclaredRetry {
            max_attempts: Some(9),
            backoff_ms: Some(1000),
            give_up_on: vec!["Fatal".to_owned()],
            ..DeclaredRetry::default()
        };
        let stated = RetryOptions {
            backoff_factor: Some(10.0),
            backoff_max_seconds: Some(50.0),
            retry_on: Some(vec!["Busy".to_owned(), "Fatal".to_owned()]),
            jitter: Some(0.0),
            ..RetryOptions::default()
        };
        let policy = |attempts_charged| RetryPolicy {
            stated: stated.clone(),
            declared: declared.clone(),
            attempts_charged,
            jitter: 1.0,
            ..RetryPolicy::default()
        };
        assert_eq!(
            [1, 2, 3].map(|charged| delay(&failed("Busy", None), policy(charged))),
            [Some(1), Some(10), Some(50)]
        );
        assert_eq!(delay(&failed("Fatal", None), policy(1)), None, "given up on by the code");
        assert_eq!(delay(&failed("Other", None), policy(1)), None, "not among those of the request");
        assert_eq!(
            policy(2).outlook().unwrap(),
            "if it fails with Busy or Fatal, attempt 3 of at most 9 follows about 10.0 s later, unless with Fatal"
        );
        assert_eq!(policy(9).outlook(), None);
        // A first wait that is longer than the longest when nobody says stays as it was asked for.
        let long =
            RetryOptions { max_attempts: Some(2), backoff_seconds: Some(7200.0), ..RetryOptions::default() };
        assert_eq!(
            delay(
                &failed("Busy", None),
                RetryPolicy { stated: long, attempts_charged: 1, ..RetryPolicy::default() }
            ),
            Some(7200)
        );
    }
}
