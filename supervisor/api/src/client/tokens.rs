//! Tokens: listing, making, rotating and removing them, and who this client is.

use super::{ANSWER_TIMEOUT, ApiClient, ClientError};
use crate::{AccessView, MadeTokenView, TokenRemovedView, TokenRequest, TokenRotationRequest, TokensView};

impl ApiClient {
    /// Who this client is to the supervisor, and what it may do.
    pub fn access(&self) -> Result<AccessView, ClientError> {
        self.parsed(self.get(&["api", "access"], &[], None)?)
    }

    /// The tokens that were made.
    pub fn tokens(&self) -> Result<TokensView, ClientError> {
        self.parsed(self.get(&["api", "tokens"], &[], None)?)
    }

    /// Makes a token.
    pub fn create_token(&self, wanted: &TokenRequest) -> Result<MadeTokenView, ClientError> {
        let body = serde_json::to_string(wanted).map_err(|error| self.foreign(&error.to_string()))?;
        let url = self.url(&["api", "tokens"])?;
        self.parsed(self.send_text(self.said_by_whom(self.agent.post(url.as_str())), None, &body)?)
    }

    /// Gives a token another secret.
    pub fn rotate_token(
        &self,
        name: &str,
        wanted: &TokenRotationRequest,
    ) -> Result<MadeTokenView, ClientError> {
        let body = serde_json::to_string(wanted).map_err(|error| self.foreign(&error.to_string()))?;
        let url = self.url(&["api", "tokens", name, "rotate"])?;
        self.parsed(self.send_text(self.said_by_whom(self.agent.post(url.as_str())), None, &body)?)
    }

    /// Removes a token.
    pub fn remove_token(&self, name: &str) -> Result<TokenRemovedView, ClientError> {
        let url = self.url(&["api", "tokens", name])?;
        let request = self.agent.delete(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let request = self.authorized(self.said_by_whom(request));
        self.parsed(self.answer(request.call().map_err(|error| self.failed(&error))?)?)
    }
}
