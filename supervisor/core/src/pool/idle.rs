//! Workers with nothing to do. Each is a token: whoever takes the token out owns the right to give that
//! worker a run, and nobody else can. A worker that dies or leaves gives no token back.

use super::event::WorkerId;
use super::time::PoolTime;

/// The right to give one worker one run. Made only by [`IdleWorkers::add`], and not copyable.
#[derive(Debug)]
pub(super) struct IdleToken {
    worker: WorkerId,
    turn: u64,
    since: PoolTime,
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
}

impl IdleWorkers {
    /// Takes a worker in, and returns the turn by which it is found again.
    pub(super) fn add(&mut self, worker: WorkerId, is_due: bool, now: PoolTime) -> u64 {
        self.turns += 1;
        let token = IdleToken { worker, turn: self.turns, since: now };
        if is_due {
            self.due.push(token)
        } else {
            self.fresh.push(token)
        }
        self.turns
    }

    /// The most recently used worker, those that are not due first.
    pub(super) fn take_warmest(&mut self) -> Option<IdleToken> {
        self.fresh.pop().or_else(|| self.due.pop())
    }

    /// The least recently used worker that is due.
    pub(super) fn coldest_due(&self) -> Option<WorkerId> {
        self.due.first().map(IdleToken::worker)
    }

    /// The least recently used worker that is not due, and since when it rests.
    pub(super) fn coldest_fresh(&self) -> Option<(WorkerId, PoolTime)> {
        self.fresh.first().map(|token| (token.worker, token.since))
    }

    /// Destroys the token of a worker that leaves or died.
    pub(super) fn discard(&mut self, turn: u64) {
        if Self::take_from(&mut self.fresh, turn).is_none() {
            Self::take_from(&mut self.due, turn);
        }
    }

    /// Moves a token to those used last.
    pub(super) fn becomes_due(&mut self, turn: u64) {
        if let Some(token) = Self::take_from(&mut self.fresh, turn) {
            let at = self.due.partition_point(|other| other.turn < turn);
            self.due.insert(at, token);
        }
    }

    fn take_from(tokens: &mut Vec<IdleToken>, turn: u64) -> Option<IdleToken> {
        let at = tokens.binary_search_by_key(&turn, |token| token.turn).ok()?;
        Some(tokens.remove(at))
    }
}
