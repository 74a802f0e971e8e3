//! What follows from the clock: rows that were to start by now are cancelled, whether a worker is free for them or not,
//! idempotency keys are forgotten, and where the clock was set back, what waits does not wait for it.

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

/// How often idempotency keys are looked for that nobody has to remember any more.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// So many are forgotten at once, and then others write.
const FORGET_MAX: usize = 1000;
const FORGET_PAUSE: Duration = Duration::from_millis(100);

/// Forgets idempotency keys whose time is over, for ever.
pub(crate) async fn forget_keys_for_ever(store: Arc<dyn Store>) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        every.tick().await;
        loop {
            match store.forget_keys(FORGET_MAX).await {
                // A full page means that more are left.
                Ok(FORGET_MAX..) => tokio::time::sleep(FORGET_PAUSE).await,
                Ok(_) => break,
                Err(error) => {
                    tracing::debug!(%error, "cannot forget idempotency keys; trying again");
                    break;
                }
            }
        }
    }
}

/// How often it is looked for that the clock was set back.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// So many rows are made due at once, and then others write.
const FOLLOW_MAX: usize = 1000;

/// Makes due what the clock would let wait because it was set back, for ever.
pub(crate) async fn follow_clock_for_ever(store: Arc<dyn Store>) {
    let mut every = tokio::time::interval(CLOCK_EVERY);
    loop {
        every.tick().await;
        let (mut rows, mut page) = (0, FOLLOW_MAX);
        // A full page means that more are left.
        while page == FOLLOW_MAX {
            page = follow_clock(&*store).await;
            rows += page;
        }
        if rows > 0 {
            tracing::warn!(rows, "the clock of the database was set back: what waits does not wait for it");
        }
    }
}

async fn follow_clock(store: &dyn Store) -> usize {
    store.follow_clock(FOLLOW_MAX).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot look whether the clock was set back; trying again");
        0
    })
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
