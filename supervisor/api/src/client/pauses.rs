//! Pauses: reading, setting and ending them.

use secrecy::ExposeSecret as _;

use super::definitions::{USER_HEADER, user};
use super::{ANSWER_TIMEOUT, ApiClient, ClientError};
use crate::{PauseRequest, PauseView, PausesView, ResumedView};

impl ApiClient {
    /// What is paused.
    pub fn pauses(&self) -> Result<PausesView, ClientError> {
        self.parsed(self.get(&["api", "pauses"], &[], None)?)
    }

    /// Pauses `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`.
    pub fn pause(&self, target: &str, why: Option<String>) -> Result<PauseView, ClientError> {
        let body =
            serde_json::to_string(&PauseRequest { why }).map_err(|error| self.foreign(&error.to_string()))?;
        let url = self.url(&["api", "pauses", target])?;
        let request = self.agent.put(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        self.parsed(self.send_body(self.said_by_whom(request), &body)?)
    }

    /// Ends a pause.
    pub fn resume(&self, target: &str) -> Result<ResumedView, ClientError> {
        let url = self.url(&["api", "pauses", target])?;
        let request = self.agent.delete(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let request = self.authorized(self.said_by_whom(request));
        self.parsed(self.answer(request.call().map_err(|error| self.failed(&error))?)?)
    }

    pub(super) fn said_by_whom<Body>(
        &self,
        request: ureq::RequestBuilder<Body>,
    ) -> ureq::RequestBuilder<Body> {
        request.header(USER_HEADER, user())
    }

    pub(super) fn authorized<Body>(&self, request: ureq::RequestBuilder<Body>) -> ureq::RequestBuilder<Body> {
        match self.token() {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        }
    }
}
