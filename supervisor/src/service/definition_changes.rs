//! Keeping in step with what is defined.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{Result, Store};

use crate::access::KnownTokens;
use crate::dispatch::SecretKeyGate;
use crate::prewarm::Prewarm;

/// Between tries while the database does not say at which version it is.
const RETRY: Duration = Duration::from_millis(500);

/// Tells the prewarming, the store, the intake and whoever lets in over HTTP of every change of what is defined, for ever.
pub(super) async fn follow_definitions(
    store: Arc<dyn Store>,
    prewarm: Arc<Prewarm>,
    tokens: Arc<KnownTokens>,
    gate: SecretKeyGate,
) {
    let mut follower = DefinitionFollower { prewarm, tokens, gate, known: None };
    let mut told = String::new();
    loop {
        match follower.look(&*store).await {
            Ok(()) => {
                told.clear();
                store.definitions_changed().await;
            }
            Err(error) => {
                let reason = error.to_string();
                if error.is_passing() {
                    tracing::debug!(reason, "what changed of definitions is not known yet; asking again");
                } else if reason != told {
                    tracing::warn!(
                        reason,
                        "what is defined cannot be read: no change of tokens, secrets and workflows counts here"
                    );
                    told = reason;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

struct DefinitionFollower {
    prewarm: Arc<Prewarm>,
    tokens: Arc<KnownTokens>,
    gate: SecretKeyGate,
    /// The version at which tokens and secrets were read.
    known: Option<i64>,
}

impl DefinitionFollower {
    async fn look(&mut self, store: &dyn Store) -> Result<()> {
        let version = store.definition_version().await.inspect_err(|_| self.prewarm.follow(None))?;
        self.prewarm.follow(Some(version));
        if self.known != Some(version) {
            self.tokens.learn(store).await?;
            self.gate.look(store).await?;
            self.known = Some(version);
        }
        store.follow_workflows().await
    }
}
