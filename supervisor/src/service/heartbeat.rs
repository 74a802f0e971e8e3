//! The sign of life other supervisors and dashboards see.

use std::sync::Weak;

use bytes::Bytes;

use super::supervisor::Supervisor;
use crate::bus::HEARTBEAT_INTERVAL;
use crate::http::Service;

/// Shows the pool on the bus for as long as the supervisor lives.
pub(super) async fn beat_for_ever(supervisor: Weak<Supervisor>) {
    let mut every = tokio::time::interval(HEARTBEAT_INTERVAL);
    loop {
        every.tick().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        let pool = supervisor.pool().await;
        if let Ok(pool) = serde_json::to_vec(&pool) {
            supervisor.core.bus.heartbeat(supervisor.core.claimant.owner, Bytes::from(pool));
        }
    }
}
