//! Keeping what is ours: leases are renewed, cancels and take-overs noticed.
//!
//! A lease is lost when a renewal or a fenced write proves it, never because a clock here says so: runs go on
//! through an outage of the database.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::Attempt;
use muster_protocol::CancelReason;
use muster_store::{
    ClaimStore, Claimant, Finalization, OutcomeStore, Renewal, RequestedCancel, Store, UnheldClaims,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::dispatcher::Dispatcher;
use super::in_flight::InFlightPhase;
use crate::executor::unix_us;
use crate::liveness::{Liveness, VitalLoop};

/// A run that lasts longer than this has its start recorded while it runs.
const RECORD_START_AFTER: Duration = Duration::from_millis(250);
/// A renewal that failed is tried again after a quarter of a period, within these bounds.
const HURRY_MIN: Duration = Duration::from_millis(100);
const HURRY_MAX: Duration = Duration::from_secs(1);

/// Renews for as long as the dispatcher lives.
pub(crate) async fn renew_for_ever(
    dispatcher: Arc<Dispatcher>,
    store: Arc<dyn Store>,
    claimant: Claimant,
    liveness: Arc<Liveness>,
) {
    let period = claimant.lease / 3;
    // Whoever watches our rows run out gives us a period to renew them once they can be written again.
    let force = (period / 4).clamp(HURRY_MIN, HURRY_MAX);
    let mut suspects = UnheldClaims::default();
    let mut failed = false;
    loop {
        let started = Instant::now();
        liveness.beat(VitalLoop::Leases);
        let held = dispatcher.in_flight().attempts();
        match store.renew(&claimant, &held).await {
            Ok(renewal) => {
                let unheld = dispatcher.in_flight().unheld(&renewal.unheld, &mut suspects);
                failed = !renewal.unrenewed.is_empty();
                act(&dispatcher, renewal);
                give_back(&*store, &claimant, &unheld).await;
            }
            Err(error) if failed => tracing::debug!(%error, "leases not renewed yet"),
            Err(error) => {
                failed = true;
                tracing::warn!(%error, held = held.len(), "cannot renew leases; executions go on");
            }
        }
        tokio::time::sleep_until(started + if failed { force } else { period }).await;
    }
}

fn act(dispatcher: &Dispatcher, renewal: Renewal) {
    for RequestedCancel { attempt, reason } in renewal.cancel_requested {
        dispatcher.cancel_wanted(attempt, reason.as_deref());
    }
    for attempt in renewal.superseded {
        tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, "another supervisor took this execution over; ending the run here");
        dispatcher.cancel(attempt, CancelReason::LeaseLost, "another supervisor owns this execution now");
    }
}

/// Releases rows that nobody runs.
async fn give_back(store: &dyn OutcomeStore, claimant: &Claimant, unheld: &[Attempt]) {
    if unheld.is_empty() {
        return;
    }
    let mut releases: Vec<_> =
        unheld.iter().map(|attempt| Finalization::of_stray(*attempt, claimant.owner)).collect();
    // One that somebody has locked holds up no other.
    let locked = store.locked(&releases).await.unwrap_or_default();
    releases.retain(|release| !locked.contains(&release.attempt));
    match store.finalize(&releases).await {
        Ok(_) => releases.iter().for_each(|Finalization { attempt, .. }| {
            tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, "released a claim that nobody holds");
        }),
        Err(error) => tracing::warn!(%error, "cannot release claims that nobody holds; trying again"),
    }
}

/// Writes `started_at` of runs that last, so that people see since when they run.
pub(crate) async fn record_starts_for_ever(
    dispatcher: Arc<Dispatcher>,
    store: Arc<dyn ClaimStore>,
    owner: Uuid,
) {
    let mut every = tokio::time::interval(RECORD_START_AFTER);
    loop {
        every.tick().await;
        let started = take_lasting(&dispatcher);
        if started.is_empty() {
            continue;
        }
        if let Err(error) = store.record_started(owner, &started).await {
            tracing::debug!(%error, "cannot record that executions started; their outcome records it");
        }
    }
}

fn take_lasting(dispatcher: &Dispatcher) -> Vec<(Attempt, jiff::Timestamp)> {
    let before_us = unix_us() - i64::try_from(RECORD_START_AFTER.as_micros()).unwrap_or(0);
    let mut held = dispatcher.in_flight().lock();
    let lasting = held.iter_mut().filter_map(|(attempt, held)| match &mut held.phase {
        InFlightPhase::Submitted { started_at_us, .. } if started_at_us.is_some_and(|at| at < before_us) => {
            let at = jiff::Timestamp::from_microsecond(started_at_us.take()?).ok()?;
            Some((*attempt, at))
        }
        InFlightPhase::Preparing { .. } | InFlightPhase::Submitted { .. } | InFlightPhase::Ended => None,
    });
    lasting.collect()
}
