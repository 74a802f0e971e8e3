//! Workers with nothing to do. Each is a token: whoever takes the token out owns the right to give that
//! worker a run, and nobody else can. A worker that dies or leaves gives no token back. A token says for whom its worker
//! may be used; as long as all are for anyone, which is so without isolation, taking one is a pop.

use std::collections::HashMap;

use uuid::Uuid;

use super::event::WorkerId;
use super::isolation::WorkerBinding;
use super::time::PoolTime;

/// The right to give one worker one run. Made only by [`IdleWorkers::add`], and not copyable.
#[derive(Debug)]
pub(super) struct IdleToken {
    worker: WorkerId,
    turn: u64,
    since: PoolTime,
    binding: WorkerBinding,
}

impl IdleToken {
    pub(super) fn worker(&self) -> WorkerId {
        self.worker
    }
}

/// The tokens, in the order in which their workers came to rest: the last is the warmest.
#[derive(Debug, Default)]
pub(super) struct IdleWorkers {
    /// Workers to use first.
    fresh: Vec<IdleToken>,
    /// Workers that are due to be replaced, and serve until their replacement is Ready.
    due: Vec<IdleToken>,
    turns: u64,
    /// How many are bound to whom, without those that are for anyone. Never walked where its order could matter.
    bound: HashMap<Option<Uuid>, usize>,
    /// How many are bound to anybody.
    bound_count: usize,
}

impl IdleWorkers {
    /// Takes a worker in, and returns the turn by which it is found again.
    pub(super) fn add(
        &mut self,
        worker: WorkerId,
        is_due: bool,
        binding: WorkerBinding,
        now: PoolTime,
    ) -> u64 {
        self.turns += 1;
        let token = IdleToken { worker, turn: self.turns, since: now, binding };
        self.enter(binding);
        if is_due {
            self.due.push(token)
        } else {
            self.fresh.push(token)
        }
        self.turns
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.due.is_empty()
    }

    /// How many of them are not for anyone.
    pub(super) fn bound(&self) -> usize {
        self.bound_count
    }

    /// The most recently used worker that may run for the organization: those that are not due first, and of these
    /// one that is bound to it before one that anyone could use.
    pub(super) fn take_for(&mut self, organization_id: Option<Uuid>) -> Option<IdleToken> {
        if self.bound_count == 0 {
            return self.fresh.pop().or_else(|| self.due.pop());
        }
        let own = WorkerBinding::Only(organization_id);
        let has_own = self.bound.contains_key(&organization_id);
        let has_open = self.fresh.len() + self.due.len() > self.bound_count;
        let take = |tokens: &mut Vec<IdleToken>| {
            let find = |binding| tokens.iter().rposition(|token| token.binding == binding);
            let own_at = if has_own { find(own) } else { None };
            let at = own_at.or_else(|| if has_open { find(WorkerBinding::Anyone) } else { None })?;
            Some(tokens.remove(at))
        };
        let token = take(&mut self.fresh).or_else(|| take(&mut self.due))?;
        self.leave(token.binding);
        Some(token)
    }

    /// The least recently used worker that is due.
    pub(super) fn coldest_due(&self) -> Option<WorkerId> {
        self.due.first().map(IdleToken::worker)
    }

    /// The least recently used worker that is not due, and since when it rests.
    pub(super) fn coldest_fresh(&self) -> Option<(WorkerId, PoolTime)> {
        self.fresh.first().map(|token| (token.worker, token.since))
    }

    /// The least recently used worker of the organization that most workers are bound to. Looks at those that are not due.
    pub(super) fn least_useful(&self) -> Option<WorkerId> {
        let most = *self.bound.values().max()?;
        let is_of_largest = |token: &&IdleToken| match token.binding {
            WorkerBinding::Anyone => false,
            WorkerBinding::Only(organization_id) => self.bound.get(&organization_id) == Some(&most),
        };
        self.fresh.iter().find(is_of_largest).map(IdleToken::worker)
    }

    /// Destroys the token of a worker that leaves or died.
    pub(super) fn discard(&mut self, turn: u64) {
        let token = Self::take_from(&mut self.fresh, turn).or_else(|| Self::take_from(&mut self.due, turn));
        if let Some(token) = token {
            self.leave(token.binding);
        }
    }

    /// Moves a token to those used last.
    pub(super) fn becomes_due(&mut self, turn: u64) {
        if let Some(token) = Self::take_from(&mut self.fresh, turn) {
            let at = self.due.partition_point(|other| other.turn < turn);
            self.due.insert(at, token);
        }
    }

    /// A worker is for others from now on.
    pub(super) fn rebind(&mut self, turn: u64, binding: WorkerBinding) {
        let token = self.fresh.iter_mut().chain(&mut self.due).find(|token| token.turn == turn);
        if let Some(token) = token {
            let before = std::mem::replace(&mut token.binding, binding);
            self.leave(before);
            self.enter(binding);
        }
    }

    fn enter(&mut self, binding: WorkerBinding) {
        match binding {
            WorkerBinding::Anyone => {}
            WorkerBinding::Only(organization_id) => {
                *self.bound.entry(organization_id).or_default() += 1;
                self.bound_count += 1;
            }
        }
    }

    fn leave(&mut self, binding: WorkerBinding) {
        match binding {
            WorkerBinding::Anyone => {}
            WorkerBinding::Only(organization_id) => {
                self.bound_count -= 1;
                if let Some(count) = self.bound.get_mut(&organization_id) {
                    *count -= 1;
                    if *count == 0 {
                        self.bound.remove(&organization_id);
                    }
                }
            }
        }
    }

    fn take_from(tokens: &mut Vec<IdleToken>, turn: u64) -> Option<IdleToken> {
        let at = tokens.binary_search_by_key(&turn, |token| token.turn).ok()?;
        Some(tokens.remove(at))
    }
}
