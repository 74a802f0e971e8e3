//! Forgets executions that ended long ago: by itself as the settings say, and when somebody asks for it.

use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::{PruneRange, PrunedRows, StoreError};

use super::supervisor::Supervisor;
use crate::api::{PruneWish, PrunedView, ServiceError};

/// How many go in one transaction.
const AT_ONCE: usize = 200;
/// How often is looked for what may go, once all of it is gone.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After each transaction so many times its length is left to others.
const REST: u32 = 4;
/// The shortest rest.
const REST_MIN: Duration = Duration::from_millis(20);
/// For how long one request removes.
const REQUEST_TAKES: Duration = Duration::from_secs(2);

/// Forgets what the settings say, for ever.
pub(super) async fn prune_for_ever(supervisor: Weak<Supervisor>) {
    let mut told = String::new();
    loop {
        let Some(here) = supervisor.upgrade() else { return };
        let begun = Instant::now();
        let pruned = here.prune_step().await;
        drop(here);
        let wait = match pruned {
            Ok(true) => (begun.elapsed() * REST).max(REST_MIN),
            Ok(false) => LOOK_EVERY,
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

/// The ends of an execution, those of failures last.
fn ends() -> impl Iterator<Item = Status> {
    Status::ALL.into_iter().filter(|status| status.is_terminal())
}

impl Supervisor {
    /// Removes a few of what the settings let go. True when there may be more.
    async fn prune_step(&self) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let mut may_be_more = false;
        for status in ends() {
            let Some(before) = self.kept_for(status).and_then(|kept| now.checked_sub(kept).ok()) else {
                continue;
            };
            let gone = self.remove(PruneRange { status, before }).await?;
            may_be_more |= gone.executions >= AT_ONCE as u64;
        }
        Ok(may_be_more)
    }

    /// How long executions are kept that came to this; `None`: for ever.
    fn kept_for(&self, status: Status) -> Option<Duration> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        match status {
            Status::Failed | Status::Timeout => settings.retention_failed.or(settings.retention),
            Status::Success | Status::Cancelled => settings.retention,
            Status::Pending | Status::Running => None,
        }
    }

    async fn remove(&self, range: PruneRange) -> Result<PrunedRows, StoreError> {
        let gone = self.store.prune(range, AT_ONCE).await?;
        self.core.metrics.pruned(gone.executions);
        Ok(gone)
    }

    /// What somebody asks for, for a moment.
    pub(super) async fn prune_now(&self, wish: &PruneWish) -> Result<PrunedView, ServiceError> {
        let before = before(wish, Timestamp::now())?;
        let statuses: Vec<Status> =
            if wish.statuses.is_empty() { ends().collect() } else { wish.statuses.clone() };
        if let Some(status) = statuses.iter().find(|status| !status.is_terminal()) {
            let problem = format!("statuses: {} is no end of an execution", status.as_str());
            return Err(ServiceError::Invalid(problem));
        }
        let (begun, mut gone, mut is_done) = (Instant::now(), PrunedRows::default(), true);
        for status in statuses {
            let range = PruneRange { status, before };
            if wish.dry_run {
                gone = gone.and(self.store.prunable(range).await?);
                continue;
            }
            loop {
                if begun.elapsed() > REQUEST_TAKES {
                    is_done = false;
                    break;
                }
                let step = Instant::now();
                let removed = self.remove(range).await?;
                gone = gone.and(removed);
                // Another supervisor may have its turn, and rows may be locked.
                let is_last = removed.executions < AT_ONCE as u64;
                if is_last && self.store.prunable(range).await?.executions == 0 {
                    break;
                }
                tokio::time::sleep(step.elapsed().max(REST_MIN)).await;
            }
        }
        let PrunedRows { executions, logs, events } = gone;
        Ok(PrunedView { before, executions, logs, events, is_done })
    }
}

/// The moment before which executions are to have ended.
fn before(wish: &PruneWish, now: Timestamp) -> Result<Timestamp, ServiceError> {
    let wrong = |problem: &str| ServiceError::Invalid(problem.to_owned());
    match (wish.before, wish.older_than_seconds) {
        (Some(before), None) => Ok(before),
        (None, Some(seconds)) => {
            let age = SignedDuration::try_from_secs_f64(seconds).ok().filter(|age| !age.is_negative());
            let age = age.ok_or_else(|| wrong("older_than_seconds: must be a number from 0"))?;
            now.checked_sub(age).map_err(|_| wrong("older_than_seconds: is too long ago"))
        }
        (Some(_), Some(_)) | (None, None) => Err(wrong("say either older_than_seconds or before")),
    }
}
