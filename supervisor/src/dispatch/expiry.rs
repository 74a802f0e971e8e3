//! What was to start by a moment that is over: it is cancelled, whether a worker is free for it or not.

use std::sync::Arc;
use std::time::Duration;

use muster_bus::Bus;
use muster_store::{Claimant, Store};

use crate::notify::sweep::notify_rows;

/// How often rows are looked for that have expired.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many are ended at once.
const EXPIRE_MAX: usize = 200;

/// Ends what has expired, for ever, and tells whoever waits for it.
pub(crate) async fn expire_for_ever(store: Arc<dyn Store>, bus: Bus, claimant: Claimant) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        // A full page means that more are left.
        while expire(&store, &bus, &claimant).await == EXPIRE_MAX {}
    }
}

async fn expire(store: &Arc<dyn Store>, bus: &Bus, claimant: &Claimant) -> usize {
    let ended = match store.expire(claimant, EXPIRE_MAX).await {
        Ok(ended) => ended,
        Err(error) => {
            tracing::debug!(%error, "cannot end what has expired; trying again");
            return 0;
        }
    };
    let count = ended.len();
    for id in &ended {
        tracing::info!(execution_id = %id, "execution expired before it started; cancelled");
    }
    if count > 0 {
        notify_rows(store.clone(), bus, ended);
    }
    count
}
