//! The signs of life: the one other supervisors and dashboards see, and the one of the executor's thread; and what the log lacks.

use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use muster_bus::HEARTBEAT_INTERVAL;

use super::supervisor::Supervisor;
use crate::api::ApiService;
use crate::liveness::VitalLoop;
use crate::observe::dropped_lines;

/// How often the executor's thread is asked whether it still answers.
const EXECUTOR_ASKED_EVERY: Duration = Duration::from_secs(2);

/// Shows the pool on the bus for as long as the supervisor lives.
pub(super) async fn beat_for_ever(supervisor: Weak<Supervisor>) {
    let mut every = tokio::time::interval(HEARTBEAT_INTERVAL);
    loop {
        every.tick().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        tell_dropped_lines(&supervisor);
        let pool = supervisor.pool().await;
        supervisor.core.metrics.saw(&pool);
        if let Ok(pool) = serde_json::to_vec(&pool) {
            supervisor.core.bus.heartbeat(supervisor.core.claimant.owner, Bytes::from(pool));
        }
    }
}

fn tell_dropped_lines(supervisor: &Supervisor) {
    let dropped = dropped_lines();
    supervisor.core.metrics.log_lines_dropped(dropped.total);
    let lines = dropped.to_tell;
    if lines > 0 {
        tracing::warn!(lines, "lines of this log were dropped: whoever reads it stood still");
    }
}

/// Asks the executor's thread for an answer, until it has drained or the supervisor is gone.
pub(super) async fn watch_executor(supervisor: Weak<Supervisor>) {
    let mut every = tokio::time::interval(EXECUTOR_ASKED_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        if supervisor.core.executor.handle().snapshot().await.is_none() {
            return supervisor.liveness.disarm(VitalLoop::Executor);
        }
        supervisor.liveness.beat(VitalLoop::Executor);
    }
}
