//! What code declares of a workflow beside its function, for the supervisor to enforce.

use std::time::Duration;

use muster_protocol::{DeclaredConcurrency, DeclaredRetry, JsonBytes, WorkflowDescription};
use serde::Serialize;

/// What a workflow wants of the supervisor, where neither the request nor the workflow's row says otherwise.
///
/// ```
/// use std::time::Duration;
/// use muster_worker::WorkflowPolicy;
///
/// let policy = WorkflowPolicy::new().timeout(Duration::from_secs(30)).retries(3).backoff(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct WorkflowPolicy {
    declared: WorkflowDescription,
    max_concurrent: Option<u32>,
}

impl WorkflowPolicy {
    /// Begins a policy that declares nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A line or two for people.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.declared.description = text.into();
        self
    }

    /// The hard limit of a run: the supervisor cancels it then, and kills what does not end. It may be longer than the
    /// supervisor's own.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.declared.timeout_ms = Some(whole_ms(limit).max(1));
        self
    }

    /// How often a failure is tried again.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retry().max_attempts = Some(retries.saturating_add(1));
        self
    }

    /// The wait before the first retry.
    #[must_use]
    pub fn backoff(mut self, wait: Duration) -> Self {
        self.retry().backoff_ms = Some(whole_ms(wait));
        self
    }

    /// By how much each further wait is longer, in percent: 200 doubles it, which is the default.
    #[must_use]
    pub fn backoff_factor_percent(mut self, percent: u32) -> Self {
        self.retry().backoff_factor_percent = Some(percent);
        self
    }

    /// Sets the bound that growing waits stop at.
    #[must_use]
    pub fn backoff_max(mut self, wait: Duration) -> Self {
        self.retry().backoff_max_ms = Some(whole_ms(wait));
        self
    }

    /// Only errors of these types are tried again.
    #[must_use]
    pub fn retry_on<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.retry().retry_on = types.into_iter().map(Into::into).collect();
        self
    }

    /// Errors of these types are never tried again.
    #[must_use]
    pub fn give_up_on<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.retry().give_up_on = types.into_iter().map(Into::into).collect();
        self
    }

    /// How many may run at once; with a [key](Self::key), how many of each. A supervisor without such limits shows it.
    #[must_use]
    pub fn max_concurrent(mut self, count: u32) -> Self {
        self.max_concurrent = Some(count);
        self
    }

    /// What `max_concurrent` is counted by: `organization`, `workflow`, `caller` or `parameters.<path>`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.declared.concurrency.key = key.into();
        self
    }

    /// Limits by name that it shares with others, at most four.
    #[must_use]
    pub fn limits<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.declared.limits = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the queue where executions wait.
    #[must_use]
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.declared.queue = name.into();
        self
    }

    /// The JSON Schema of its parameters: what does not fit is refused before a worker is asked.
    #[must_use]
    pub fn parameters(mut self, schema: &impl Serialize) -> Self {
        self.declared.parameters = JsonBytes::of(schema);
        self
    }

    fn retry(&mut self) -> &mut DeclaredRetry {
        &mut self.declared.retry
    }

    /// The description of the workflow of this name.
    pub(crate) fn describe(&self, name: &str, source_file: &str) -> WorkflowDescription {
        let mut described = self.declared.clone();
        name.clone_into(&mut described.name);
        source_file.clone_into(&mut described.source_file);
        let DeclaredConcurrency { total, per_key, key, .. } = &mut described.concurrency;
        *(if key.is_empty() { total } else { per_key }) = self.max_concurrent;
        described
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
