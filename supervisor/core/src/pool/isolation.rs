//! Which runs may share a process: what a worker has served decides whom it may still serve.
//!
//! This is a bound and no wish. A worker that may serve nobody any more never comes to rest, whatever the state of
//! its replacement, and the token of one that rests says for whom it may be taken.

use serde::Serialize;
use uuid::Uuid;

use super::config::STARTS_BEFORE_GIVING_WAY;
use super::effect::PoolEffect;
use super::event::WorkerId;
use super::machine::Pool;
use super::time::PoolTime;
use super::worker::{PoolWorker, RecycleReason, WorkerState};

/// Why a worker leaves that is bound to one organization.
pub(super) const GIVES_WAY: &str = "another organization waits for a worker";

/// Which runs may share a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// All: a worker serves whoever comes.
    #[default]
    None,
    /// Those of one organization. The runs without one are a unit like an organization.
    Organization,
    /// None at all: a worker is given one Execute in its life.
    Execution,
}

impl Isolation {
    /// Its name in settings and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Organization => "organization",
            Self::Execution => "execution",
        }
    }

    /// For whom a worker that served these may be used; `None` when it may not be used again.
    pub(super) fn binding(self, served: ServedRuns) -> Option<WorkerBinding> {
        match (self, served) {
            (Self::None, ServedRuns::Nobodys | ServedRuns::Of(_) | ServedRuns::OfSeveral)
            | (Self::Organization | Self::Execution, ServedRuns::Nobodys) => Some(WorkerBinding::Anyone),
            (Self::Organization, ServedRuns::Of(organization_id)) => {
                Some(WorkerBinding::Only(organization_id))
            }
            (Self::Organization, ServedRuns::OfSeveral)
            | (Self::Execution, ServedRuns::Of(_) | ServedRuns::OfSeveral) => None,
        }
    }
}

/// Whose runs a worker has been given, whether or not they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServedRuns {
    /// It has had none.
    Nobodys,
    /// All were of this organization, or all of none.
    Of(Option<Uuid>),
    /// They were of several.
    OfSeveral,
}

impl ServedRuns {
    pub(super) fn and(self, organization_id: Option<Uuid>) -> Self {
        match self {
            Self::Nobodys => Self::Of(organization_id),
            Self::Of(same) if same == organization_id => self,
            Self::Of(_) | Self::OfSeveral => Self::OfSeveral,
        }
    }
}

/// For whom a worker may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerBinding {
    /// The worker may be used for runs of any organization.
    Anyone,
    /// For runs of this organization; `None` is for runs without one.
    Only(Option<Uuid>),
}

impl WorkerBinding {
    pub(super) fn admits(self, organization_id: Option<Uuid>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(bound_to) => bound_to == organization_id,
        }
    }
}

impl Pool {
    /// The isolation has changed: workers that served more than it allows now leave, at once or after their run, and the
    /// others are bound anew. One that has its last run leaves after it, also where it would be allowed more by now.
    pub(super) fn apply_isolation(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            let Some(worker) = self.workers.get(&id) else { continue };
            let binding = self.config.isolation.binding(worker.served);
            match (&worker.state, binding) {
                (WorkerState::Starting(_) | WorkerState::Template(_) | WorkerState::Leaving(_), _)
                | (WorkerState::Busy(_), Some(_)) => {}
                (WorkerState::Idle { turn }, Some(binding)) => self.idle.rebind(*turn, binding),
                (WorkerState::Idle { .. }, None) => {
                    self.retire(now, id, RecycleReason::Isolation.reason(), effects);
                }
                (WorkerState::Busy(_), None) => {
                    self.alter(id, |worker, _| worker.due = Some(RecycleReason::Isolation));
                }
            }
        }
    }

    /// Organizations wait while the pool is full of workers that are bound to others and rest: as many of these leave as
    /// there are starts missing. One of the organization that has most of them goes first, the longest idle.
    ///
    /// When starts fail, no more than one worker is given up for them: a build that cannot start takes nothing away.
    pub(super) fn make_room(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        if self.idle.bound() == 0 || !self.has_oldest_waited(now) {
            return;
        }
        let most = if self.starts.consecutive > 0 { 1 } else { usize::MAX };
        while self.runnable().min(most) > self.ordinary_starting() + self.room_to_start() {
            let Some(id) = self.idle.coldest_due().or_else(|| self.idle.least_useful()) else { return };
            self.retire(now, id, GIVES_WAY, effects);
            self.clamp_surplus();
        }
    }

    /// How many workers may be started before as many serve as ever do.
    fn room_to_start(&self) -> usize {
        self.config.max_workers.saturating_sub(self.counts.serving())
    }

    /// A worker could serve its own organization while the oldest attempt, of another one, waits for too long and
    /// nothing is on the way for it: then the worker leaves, if it has served for long enough to be worth its start.
    /// So no organization waits for ever behind others.
    pub(super) fn gives_way(&self, now: PoolTime, id: WorkerId) -> bool {
        self.has_oldest_waited(now)
            && self.room_to_start() == 0
            && self.ordinary_starting() == 0
            && self.starts.consecutive == 0
            && self.workers.get(&id).is_some_and(|worker| worker.was_worth_its_start(now))
    }
}

impl PoolWorker {
    fn was_worth_its_start(&self, now: PoolTime) -> bool {
        self.ready_at.is_some_and(|ready_at| {
            now.since(ready_at) >= ready_at.since(self.spawned_at) * STARTS_BEFORE_GIVING_WAY
        })
    }
}
