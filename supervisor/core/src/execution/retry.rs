//! When an execution that failed is tried again, as it was asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When an execution that failed is tried again. What is left out is for whoever comes next to say: the request, the
/// workflow's row, its code, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetryPolicy)]
pub struct RetryOptions {
    /// How many attempts there may be, the first included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_attempts: Option<u32>,
    /// The wait before the second attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub backoff_seconds: Option<f64>,
    /// By how much each further wait is longer: 2 doubles it, 1 leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub backoff_factor: Option<f64>,
    /// No wait is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub backoff_max_seconds: Option<f64>,
    /// Each wait is longer by a random part of it, at most this one: 0.25 is up to a quarter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub jitter: Option<f64>,
    /// Error types that another attempt may help; left out or empty means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<Vec<String>>,
    /// Error types that no other attempt helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_up_on: Option<Vec<String>>,
}

impl RetryOptions {
    /// What is not said here is taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            max_attempts: self.max_attempts.or(other.max_attempts),
            backoff_seconds: self.backoff_seconds.or(other.backoff_seconds),
            backoff_factor: self.backoff_factor.or(other.backoff_factor),
            backoff_max_seconds: self.backoff_max_seconds.or(other.backoff_max_seconds),
            jitter: self.jitter.or(other.jitter),
            retry_on: self.retry_on.or(other.retry_on),
            give_up_on: self.give_up_on.or(other.give_up_on),
        }
    }

    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
