//! What somebody wants run.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::error::MusterError;

/// An execution that is to be submitted. What is left out is for the workflow and the settings to say.
#[derive(Clone, Debug, Serialize)]
pub struct NewExecution {
    execution_id: Uuid,
    workflow: String,
    parameters: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookWish>,
}

/// Who is told what an execution came to.
#[derive(Clone, Debug, Serialize)]
struct WebhookWish {
    url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<String>,
}

impl NewExecution {
    /// An execution of this workflow with these parameters, with an id of its own.
    ///
    /// # Errors
    /// When the parameters cannot be written as JSON.
    pub fn of<P: Serialize + ?Sized>(workflow: &str, parameters: &P) -> Result<Self, MusterError> {
        Ok(Self {
            execution_id: Uuid::now_v7(),
            workflow: workflow.to_owned(),
            parameters: to_raw_value(parameters)?,
            timeout_seconds: None,
            priority: None,
            queue: None,
            limits: Vec::new(),
            max_attempts: None,
            delay_seconds: None,
            expires_seconds: None,
            idempotency_key: None,
            webhook: None,
        })
    }

    /// Its id: the same id twice is one execution.
    pub fn id(&self) -> Uuid {
        self.execution_id
    }

    /// With this id, derived from an order's number, say.
    #[must_use]
    pub fn with_id(self, execution_id: Uuid) -> Self {
        Self { execution_id, ..self }
    }

    /// The limit of its run.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout_seconds: Some(timeout.as_secs_f64()), ..self }
    }

    /// 0 to 9; 9 goes first among those that wait.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// The queue it waits in, for the supervisors that serve it.
    #[must_use]
    pub fn queue(self, queue: &str) -> Self {
        Self { queue: Some(queue.to_owned()), ..self }
    }

    /// One more limit that it must have room in, by name.
    #[must_use]
    pub fn limit(mut self, limit: &str) -> Self {
        self.limits.push(limit.to_owned());
        self
    }

    /// How many attempts it may take, the first one included.
    #[must_use]
    pub fn max_attempts(self, attempts: u32) -> Self {
        Self { max_attempts: Some(attempts), ..self }
    }

    /// It does not start before so long after it was taken in.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay_seconds: Some(delay.as_secs_f64()), ..self }
    }

    /// It is cancelled as `Expired` if it has not started so long after it was taken in.
    #[must_use]
    pub fn expires(self, after: Duration) -> Self {
        Self { expires_seconds: Some(after.as_secs_f64()), ..self }
    }

    /// Another submission with this key is this execution.
    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        Self { idempotency_key: Some(key.to_owned()), ..self }
    }

    /// This address is told what it came to, signed with the secret `webhook.request`: of these ends, such as `FAILED`, or of all if
    /// there are none.
    #[must_use]
    pub fn webhook(self, url: &str, events: &[&str]) -> Self {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        Self { webhook: Some(WebhookWish { url: url.to_owned(), events }), ..self }
    }
}
