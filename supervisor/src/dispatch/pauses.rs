//! Pauses: every process hears of them, and what they ask for is done about rows that wait.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{PauseStore, PauseTarget};
use tokio::task::JoinSet;

/// How often one looks. A pause holds everywhere within a second of when it was set.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows what is paused, for ever. Rows that wait are taken out of the claim beside it: there may be a million.
pub(crate) async fn follow_pauses_for_ever(store: Arc<dyn PauseStore>) {
    let mut parking = JoinSet::new();
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = store.pauses().await {
            tracing::debug!(%error, "it is not known what is paused now; asking again");
        }
        for target in store.newly_paused() {
            parking.spawn(park(Arc::clone(&store), target));
        }
        while parking.try_join_next().is_some() {}
    }
}

/// Takes what waits out of the claim. What is left because the store fails is taken out by the claims that meet it.
async fn park(store: Arc<dyn PauseStore>, target: PauseTarget) {
    tracing::info!(%target, "paused: nothing of it starts; what runs goes on");
    let mut behind = None;
    loop {
        match store.park_paused(&target, behind).await {
            Ok(Some(place)) => behind = Some(place),
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, %target, "rows of what is paused were not taken out of the claim; trying again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Lets go what waits for something that is not paused any more, for ever.
pub(crate) async fn let_go_resumed_for_ever(store: Arc<dyn PauseStore>) {
    loop {
        match store.let_go_resumed().await {
            Ok(0) => {}
            Ok(count) => {
                tracing::debug!(count, "rows of what is not paused any more may start");
                continue;
            }
            Err(error) => tracing::debug!(%error, "what is not paused any more was not let go; trying again"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
