//! Commands that come over the bus: cancels and changes of the pool.

use std::sync::Weak;

use muster_protocol::CancelReason;

use super::supervisor::Supervisor;
use crate::bus::{Bus, Order};
use crate::http::{RecycleTarget, Service};
use crate::pool::WorkerId;

/// Obeys for as long as the supervisor lives.
pub(super) async fn obey_for_ever(supervisor: Weak<Supervisor>, bus: Bus) {
    let mut orders = bus.orders().await;
    loop {
        let addressed = orders.next().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        if addressed.supervisor.is_some_and(|named| named != supervisor.core.claimant.owner) {
            continue;
        }
        if let Err(error) = obey(&supervisor, addressed.order).await {
            tracing::warn!(error, "a command from the bus was not carried out");
        }
    }
}

async fn obey(supervisor: &Supervisor, order: Order) -> Result<(), String> {
    let done = match order {
        Order::Cancel { execution_id } => {
            if let Some(attempt) = supervisor.core.ledger.attempt_at(execution_id) {
                supervisor.core.desk.cancel(attempt, CancelReason::User, "cancelled on request");
                return Ok(());
            }
            // Whoever publishes here need not have asked the API, so one that waits is cancelled too.
            supervisor.request_cancel(execution_id).await.map(drop)
        }
        Order::Recycle { worker } => {
            let number = worker.strip_prefix("worker-").unwrap_or(&worker).parse();
            let worker =
                WorkerId(number.map_err(|_| format!("{worker:?} is no worker: give worker-NUMBER"))?);
            supervisor.recycle(RecycleTarget::Worker(worker)).await
        }
        Order::RecycleAll => supervisor.recycle(RecycleTarget::All).await,
        Order::Resize { min_workers, max_workers } => supervisor.resize(min_workers, max_workers).await,
        Order::Reload => Service::reload(supervisor).await,
    };
    done.map_err(|error| error.to_string())
}
