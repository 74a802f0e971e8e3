//! Watching the other supervisors, so that what one of them loses is taken over.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{Claimant, ExpiredOwners, PeerStore};
use tokio::sync::watch;

/// How often we look.
const LOOK_EVERY: Duration = Duration::from_millis(900);

/// Whose RUNNING rows a poll may take over.
#[derive(Clone, Debug)]
pub(crate) enum PeerWatch {
    /// Nobody else can live: the data directory is locked.
    None,
    /// Other supervisors share the database, and this may be taken over from them.
    Some(watch::Receiver<ExpiredOwners>),
}

/// Looks for as long as somebody wants to know, whether there are free slots or not: what is lost must have been seen
/// for a while before it may be taken over.
pub(crate) async fn watch_for_ever(
    store: Arc<dyn PeerStore>,
    claimant: Claimant,
    found: watch::Sender<ExpiredOwners>,
) {
    while !found.is_closed() {
        let lost = store.expired_owners(&claimant).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "cannot look at the other supervisors");
            ExpiredOwners::default()
        });
        found.send_if_modified(|known| {
            let changed = *known != lost;
            *known = lost;
            changed
        });
        tokio::time::sleep(LOOK_EVERY + Duration::from_millis(fastrand::u64(0..200))).await;
    }
}
