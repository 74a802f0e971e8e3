//! Keeping what is known of tokens in step with the table.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{Result, Store, TokenStore};

use super::KnownTokens;

/// How often it is noted which tokens were used.
const NOTED_EVERY: Duration = Duration::from_secs(60);

impl KnownTokens {
    /// Reads the table.
    ///
    /// # Errors
    /// When it cannot be read; what was known stays in force.
    pub async fn learn(&self, store: &dyn Store) -> Result<()> {
        self.replace(TokenStore::tokens(store).await?);
        Ok(())
    }
}

/// Notes when tokens were used, about every minute, for ever: in the request itself it would cost each a write.
pub async fn note_uses_for_ever(store: Arc<dyn Store>, tokens: Arc<KnownTokens>) {
    loop {
        tokio::time::sleep(NOTED_EVERY).await;
        let uses = tokens.take_uses();
        if let Err(error) = store.note_token_uses(&uses).await {
            tracing::debug!(%error, "it was not noted when tokens were used; the next use is");
        }
    }
}
