//! The signs of life: the one other supervisors and dashboards see, and the one of the crew's thread.

use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;

use super::pulse::Loop;
use super::supervisor::Supervisor;
use crate::bus::HEARTBEAT_INTERVAL;
use crate::http::Service;

/// How often the crew's thread is asked whether it still answers.
const CREW_ASKED_EVERY: Duration = Duration::from_secs(2);

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

/// Asks the crew's thread for an answer, until it has drained or the supervisor is gone.
pub(super) async fn watch_crew(supervisor: Weak<Supervisor>) {
    let mut every = tokio::time::interval(CREW_ASKED_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        if supervisor.core.crew.handle().snapshot().await.is_none() {
            return supervisor.pulse.rest(Loop::Crew);
        }
        supervisor.pulse.beat(Loop::Crew);
    }
}
