//! Limits: reading, setting and removing them.

use muster_core::limit::LimitTerms;
use secrecy::ExposeSecret as _;

use super::{ApiClient, ClientError, deadline};
use crate::{LimitRemovedView, LimitView, LimitsView};

impl ApiClient {
    /// The limits, and how full they are.
    pub fn limits(&self) -> Result<LimitsView, ClientError> {
        self.parsed(self.get(&["api", "limits"], &[], None)?)
    }

    /// One limit.
    pub fn limit(&self, name: &str) -> Result<LimitView, ClientError> {
        self.parsed(self.get(&["api", "limits", name], &[], None)?)
    }

    /// Sets what a limit allows.
    pub fn set_limit(&self, name: &str, terms: &LimitTerms) -> Result<LimitView, ClientError> {
        let body = serde_json::to_string(terms).map_err(|error| self.foreign(&error.to_string()))?;
        let url = self.url(&["api", "limits", name])?;
        self.parsed(self.send_text(self.agent.put(url.as_str()), None, &body)?)
    }

    /// Removes a limit.
    pub fn remove_limit(&self, name: &str) -> Result<LimitRemovedView, ClientError> {
        let url = self.url(&["api", "limits", name])?;
        let request = self.agent.delete(url.as_str()).config().timeout_global(Some(deadline(None))).build();
        let request = match self.token() {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        };
        self.parsed(self.answer(request.call().map_err(|error| self.failed(&error))?)?)
    }
}
