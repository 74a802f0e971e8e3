//! Watching the other supervisors, so that what one of them loses is taken over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Claimant, Lost, Store};

/// How often we look.
const LOOK_EVERY: Duration = Duration::from_millis(900);

/// Whose RUNNING rows a poll may take over.
#[derive(Clone, Debug)]
pub(super) enum Neighbours {
    /// Nobody else can live: the data directory is locked.
    None,
    /// Other supervisors share the database, and this may be taken over from them.
    Some(watch::Receiver<Lost>),
}

/// Looks for as long as somebody wants to know, whether there are free slots or not: what is lost must have been seen
/// for a while before it may be taken over.
pub(super) async fn watch_for_ever(store: Arc<dyn Store>, claimant: Claimant, found: watch::Sender<Lost>) {
    while !found.is_closed() {
        let lost = store.lost(&claimant).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "cannot see how the other supervisors are");
            Lost::default()
        });
        found.send_if_modified(|known| {
            let changed = *known != lost;
            *known = lost;
            changed
        });
        tokio::time::sleep(LOOK_EVERY + Duration::from_millis(fastrand::u64(0..200))).await;
    }
}
