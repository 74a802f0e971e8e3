//! The fleet: saying how this supervisor is, and seeing how all of them are.

use std::sync::Weak;
use std::time::Duration;

use muster_store::StoreError;
use serde_json::value::to_raw_value;
use tokio::time::Instant;

use super::supervisor::Supervisor;
use crate::api::{ApiService as _, FleetView, ReportView, ServiceError, SupervisorWord};
use muster_api::verdict::{ReportFacts, report};

/// How often a supervisor says how it is.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// How soon one that something keeps from taking work looks whether it still does: when it has just started, its workers are
/// there within a moment.
const TROUBLE_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// The last word of one that leaves waits for the database no longer.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(2);

/// Says how this supervisor is for as long as it lives. The first word comes at once.
pub(super) async fn say_for_ever(supervisor: Weak<Supervisor>) {
    let mut said: Option<(Instant, Vec<String>)> = None;
    loop {
        let Some(supervisor) = supervisor.upgrade() else { return };
        let word = supervisor.word().await;
        let now = Instant::now();
        let is_said =
            said.as_ref().is_some_and(|(at, problems)| *at + SAID_EVERY > now && *problems == word.problems);
        let mut is_heard = true;
        if !is_said {
            if let Err(error) = supervisor.say(&word).await {
                // Whoever reads the fleet sees that it is silent, and readiness says what is wrong with the database.
                tracing::debug!(%error, "cannot tell the other supervisors how this one is");
                is_heard = false;
            }
            said = Some((now, word.problems.clone())).filter(|_| is_heard);
        }
        drop(supervisor);
        let is_well = is_heard && word.problems.is_empty();
        tokio::time::sleep(if is_well { SAID_EVERY } else { TROUBLE_LOOKED_AT_EVERY }).await;
    }
}

impl Supervisor {
    /// Says that it leaves: what is silent after that is no reason to worry.
    pub(super) async fn say_farewell(&self) {
        let word = SupervisorWord { left: true, draining: true, ..self.word().await };
        if tokio::time::timeout(LAST_WORD_WITHIN, self.say(&word)).await.is_err() {
            tracing::debug!("the database did not hear in time that this supervisor leaves");
        }
    }

    async fn say(&self, word: &SupervisorWord) -> Result<(), StoreError> {
        let Ok(state) = to_raw_value(word) else { return Ok(()) };
        let id = self.core.claimant.owner;
        let saying = self.store.show_supervisor(id, env!("CARGO_PKG_VERSION"), &state);
        self.known.writes.watched(saying).await
    }

    async fn word(&self) -> SupervisorWord {
        let (pool, readiness) = tokio::join!(self.pool_snapshot(), self.readiness());
        let problems = match pool.draining {
            true => Vec::new(),
            false => readiness.parts.into_iter().filter(|part| !part.ready).map(|part| part.detail).collect(),
        };
        let (quarter, day) = self.core.metrics.outcomes_lately();
        SupervisorWord {
            left: false,
            draining: pool.draining,
            queues: self.core.claimant.queues.names().to_vec(),
            max_workers: pool.max_workers,
            workers: pool.workers.len(),
            running: pool.running,
            waiting: pool.waiting,
            problems,
            quarter,
            day,
        }
    }

    pub(super) async fn all_supervisors(&self) -> Result<FleetView, ServiceError> {
        Ok(FleetView::of(self.store.fleet().await?))
    }

    pub(super) async fn judged(&self) -> Result<ReportView, ServiceError> {
        let (fleet, noted_before, pool, readiness) =
            tokio::join!(self.all_supervisors(), self.noted_before(), self.pool(), self.readiness());
        // Without the database nobody knows of the others, and that is the first thing to be said.
        let mut fleet = fleet.unwrap_or_default();
        let this = self.core.claimant.owner;
        // What ended here since the last word is known here.
        for said in
            fleet.supervisors.iter_mut().filter(|one| one.id == this).filter_map(|one| one.said.as_mut())
        {
            (said.quarter, said.day) = self.core.metrics.outcomes_lately();
        }
        let noted_before = noted_before.unwrap_or_default();
        Ok(report(&ReportFacts { fleet, pool, noted_before, readiness }))
    }
}
