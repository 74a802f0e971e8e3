//! Forgets executions that ended long ago: by itself as settings and definitions say, and when somebody asks for it.

mod request;
mod rules;
mod walks;

use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_store::{Cursor, EndedExecution, PruneRange, PruneRule, PruneStep, StoreError};

use rules::{RetentionRules, RetentionSettings};
use walks::{LOOK_EVERY, WalkBook};

use super::supervisor::Supervisor;

/// How many are looked at in one transaction that removes.
const AT_ONCE: usize = 200;
/// After each transaction so many times its length is left to others.
const REST: u32 = 4;
/// The shortest rest.
const REST_MIN: Duration = Duration::from_millis(20);
/// How long a change of settings and definitions may go unseen while there is something to remove.
const RULES_EVERY: Duration = Duration::from_secs(1);

/// Forgets what the settings and definitions say, for ever.
pub(super) async fn prune_for_ever(supervisor: Weak<Supervisor>) {
    let mut pruner = Pruner::new();
    let mut told = String::new();
    loop {
        let Some(here) = supervisor.upgrade() else { return };
        let stepped = pruner.step(&here).await;
        drop(here);
        let wait = match stepped {
            Ok(wait) => wait,
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    tracing::warn!(error, "old executions cannot be removed; trying again every half minute");
                    told = error;
                }
                LOOK_EVERY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// The walks of this process, and the rules they were begun by.
struct Pruner {
    rules: RetentionRules,
    /// The version of the definitions that the rules are of, and when it was looked at.
    known: Option<(i64, Instant)>,
    walks: WalkBook,
    begun: Instant,
}

impl Pruner {
    fn new() -> Self {
        Self {
            rules: RetentionRules::default(),
            known: None,
            walks: WalkBook::default(),
            begun: Instant::now(),
        }
    }

    /// Takes the next step, if one is due; gives how long to rest.
    async fn step(&mut self, here: &Supervisor) -> Result<Duration, StoreError> {
        self.learn(here).await?;
        let Some((number, walk, behind)) = self.walks.next(self.begun.elapsed()) else {
            return Ok(self.walks.wait(self.begun.elapsed()).max(REST_MIN));
        };
        let (begun, now) = (Instant::now(), Timestamp::now());
        let Ok(before) = now.checked_sub(walk.kept) else { return Ok(LOOK_EVERY) };
        let status = walk.status;
        let range = PruneRange { status, before, scope: walk.scope };
        let lets_go = |one: &EndedExecution| self.rules.lets_go(status, one, now);
        let step = here.remove(&range, behind, &lets_go).await?;
        self.walks.stepped(number, &step, self.begun.elapsed());
        Ok((begun.elapsed() * REST).max(REST_MIN))
    }

    /// Begins the walks anew when settings or definitions say something else.
    async fn learn(&mut self, here: &Supervisor) -> Result<(), StoreError> {
        if self.known.is_some_and(|(_, at)| at.elapsed() < RULES_EVERY) {
            return Ok(());
        }
        let settings = here.retention_settings();
        let version = here.store.definition_version().await?;
        if self.known.is_none_or(|(known, _)| known != version) || self.rules.settings() != settings {
            let definitions = here.store.definitions().await?;
            let rules = RetentionRules::of(settings, &definitions.workflows);
            if rules != self.rules {
                self.walks.begin(rules.walks(), self.begun.elapsed());
                self.rules = rules;
            }
        }
        self.known = Some((version, Instant::now()));
        Ok(())
    }
}

impl Supervisor {
    fn retention_settings(&self) -> RetentionSettings {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        RetentionSettings { all: settings.retention, failed: settings.retention_failed }
    }

    /// One step that removes.
    async fn remove(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep, StoreError> {
        let step = self.store.prune(range, behind, AT_ONCE, rule).await?;
        if let PruneStep::Looked { rows, .. } = step {
            self.core.metrics.pruned(rows.executions);
        }
        Ok(step)
    }
}
