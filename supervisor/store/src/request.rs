//! A request as a row, and back.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{ExecutionRequest, InvalidRequest, Target};
use serde_json::value::{RawValue, to_raw_value};

use crate::{ExecutionRecord, Expiry, Idempotency, NewExecution};

impl NewExecution {
    /// The row of a request. `default_max_attempts` holds for requests that do not say.
    pub fn of(request: &ExecutionRequest, default_max_attempts: u32) -> Self {
        let (workflow_id, workflow_name) = match &request.target {
            Target::Id { workflow_id } => (Some(*workflow_id), None),
            Target::Name { workflow } => (None, Some(workflow.clone())),
            Target::Code { script_name, .. } => (None, Some(script_name.clone())),
        };
        Self {
            id: request.execution_id,
            workflow_id,
            workflow_name,
            organization_id: request.organization_id,
            caller: request.caller.clone(),
            // Strings, numbers and raw JSON: there is no way to fail, and null would be refused on reading.
            request: to_raw_value(request).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            max_attempts: request.max_attempts.unwrap_or(default_max_attempts),
            timeout_seconds: request.timeout_seconds,
            priority: request.priority,
            retry_of: None,
            queue: request.queue.clone(),
            is_queue_default: false,
            delay: seconds(request.window.delay_seconds).unwrap_or_default(),
            run_at: request.window.run_at,
            expiry: (request.window.expires_at.map(Expiry::At))
                .or(seconds(request.window.expires_seconds).map(Expiry::After)),
            idempotency: request.idempotency_key.as_ref().map(|key| {
                Box::new(Idempotency {
                    key: key.clone(),
                    fingerprint: request.fingerprint(),
                    lifetime: seconds(request.idempotency_seconds),
                })
            }),
            limits: request.limits.clone(),
            published_at: None,
            is_refusable: false,
        }
    }

    /// The same with its idempotency key remembered for so long, unless the request says how long.
    #[must_use]
    pub fn remembered_for(mut self, lifetime: Duration) -> Self {
        if let Some(idempotency) = &mut self.idempotency {
            idempotency.lifetime.get_or_insert(lifetime);
        }
        self
    }

    /// The same, brought by a message that was published at this moment.
    #[must_use]
    pub fn published_at(self, published_at: Option<Timestamp>) -> Self {
        Self { published_at, ..self }
    }

    /// The same for somebody who hears at once when a limit is full.
    #[must_use]
    pub fn refusable(self) -> Self {
        Self { is_refusable: true, ..self }
    }

    /// The same in this queue, unless it names one, or its workflow does.
    #[must_use]
    pub fn in_queue(mut self, queue: &str) -> Self {
        if self.queue.is_none() {
            self.queue = Some(queue.to_owned());
            self.is_queue_default = true;
        }
        self
    }

    /// True when it may not be claimed at once, by this clock: it starts later, or never, or where there is room.
    pub(crate) fn must_wait(&self, now: Timestamp) -> bool {
        let is_over = matches!(self.expiry, Some(Expiry::At(end)) if end <= now);
        !self.limits.is_empty()
            || !self.delay.is_zero()
            || is_over
            || self.run_at.is_some_and(|begin| begin > now)
    }

    /// True of the record of another request with its id: of another workflow, organization or code, or with other parameters.
    /// What does not say what was asked for, such as that of an id that was cancelled before it came, is none.
    pub fn differs_from(&self, record: &ExecutionRecord) -> bool {
        let Some(stored) = record.request.as_ref().filter(|_| record.id == self.id) else { return false };
        if record.organization_id == self.organization_id && stored.get() == self.request.get() {
            return false;
        }
        match (ExecutionRequest::parse(stored.get().as_bytes()), self.read_request()) {
            (Ok(stored), Ok(own)) => {
                record.organization_id != self.organization_id || stored.fingerprint() != own.fingerprint()
            }
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// The request the row was made of. A row that somebody wrote by hand may hold none.
    ///
    /// # Errors
    /// When the row's `request` is not one.
    pub fn read_request(&self) -> Result<ExecutionRequest, InvalidRequest> {
        ExecutionRequest::parse(self.request.get().as_bytes())
    }
}

/// Numbers of seconds are checked where they come in: they are no less than 0, and of a size that fits.
fn seconds(seconds: Option<f64>) -> Option<Duration> {
    seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_becomes_a_row_and_comes_back() {
        let message =
            br#"{"execution_id":"0190b8a0-0000-7000-8000-000000000001","workflow":"w","parameters":{"b":1},
            "caller":{"name":"Ada"},"timeout_seconds":2.5,"priority":3,"sync":true}"#;
        let request = ExecutionRequest::parse(message).unwrap();
        let row = NewExecution::of(&request, 3);
        assert_eq!((row.id, row.workflow_id), (request.execution_id, None));
        assert_eq!((row.workflow_name.as_deref(), row.max_attempts), (Some("w"), 3));
        assert_eq!((row.timeout_seconds, row.priority), (Some(2.5), 3));
        assert_eq!(row.caller.as_ref().unwrap().get(), r#"{"name":"Ada"}"#);
        assert_eq!(row.read_request().unwrap().to_stored(), request.to_stored());
    }

    #[test]
    fn a_row_that_holds_no_request_says_so() {
        let request = ExecutionRequest::parse(
            br#"{"execution_id":"0190b8a0-0000-7000-8000-000000000001","workflow":"w"}"#,
        );
        let mut row = NewExecution::of(&request.unwrap(), 3);
        row.request = RawValue::NULL.to_owned();
        assert!(row.read_request().is_err());
    }
}
