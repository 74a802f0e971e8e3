//! What waits for the rate of a limit is let go at its moment.

use std::sync::Arc;
use std::time::Duration;

use muster_store::LimitStore;

/// So long at most until one looks again: others may have died with somebody waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets go for ever.
pub(crate) async fn open_rates_for_ever(store: Arc<dyn LimitStore>) {
    loop {
        let wait = match store.open_rates().await {
            Ok(wait) => wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY),
            Err(error) => {
                tracing::debug!(%error, "what waits for a rate was not let go; trying again");
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = store.rate_waited_for() => {}
        }
    }
}
