//! Keeping in step with what is defined.

use std::sync::Arc;
use std::time::Duration;

use muster_store::Store;

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
    // The version at which tokens and secrets were read.
    let mut known = None;
    loop {
        let version = match store.definition_version().await {
            Ok(version) => version,
            Err(error) => {
                tracing::debug!(%error, "it is not known whether definitions changed; asking again");
                prewarm.follow(None);
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        prewarm.follow(Some(version));
        if known != Some(version) {
            if let Err(error) = tokens.learn(&*store).await {
                tracing::debug!(%error, "what changed of tokens is not known yet; asking again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if let Err(error) = gate.look(&*store).await {
                tracing::debug!(%error, "what changed of secrets is not known yet; asking again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            known = Some(version);
        }
        if let Err(error) = store.follow_workflows().await {
            tracing::debug!(%error, "what changed of workflows is not known yet; asking again");
            tokio::time::sleep(RETRY).await;
            continue;
        }
        store.definitions_changed().await;
    }
}
