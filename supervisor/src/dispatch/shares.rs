//! The worker time of organizations: told to the other supervisors, so that all decide by the same numbers.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{ShareBook, ShareStore};

use crate::observe::SupervisorMetrics;

/// How often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Tells what our runs had of the workers, for ever, and counts it. What cannot be told is told with what comes next.
pub(crate) async fn tell_worker_time_for_ever(
    store: Arc<dyn ShareStore>,
    shares: ShareBook,
    metrics: Arc<SupervisorMetrics>,
) {
    let mut every = tokio::time::interval(TELL_EVERY);
    loop {
        every.tick().await;
        let worked = shares.untold();
        if worked.is_empty() {
            continue;
        }
        match store.add_worker_time(&worked).await {
            Ok(()) => worked.iter().for_each(|(of, worked)| metrics.worked(*of, *worked)),
            Err(error) => {
                tracing::debug!(%error, "cannot tell the worker time of organizations; trying again");
                shares.not_told(&worked);
            }
        }
    }
}
