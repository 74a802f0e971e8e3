//! How many workers there should be, and which: looked at anew after every step, from counts that are
//! always true, so nothing can drift.
//!
//! A worker that is due to be replaced serves on until its replacement is Ready. Workers are alike, so a
//! replacement is not paired with whom it replaces: [`Replacements`] counts how many of the workers are above
//! the size of the pool for that reason. `LIFECYCLE.md` has the invariants.

use super::effect::PoolEffect;
use super::event::WorkerId;
use super::machine::Pool;
use super::reload::ReloadState;
use super::time::PoolTime;
use super::timers::TimerOwner;
use super::worker::{RecycleReason, WorkerState};

/// Workers above the size of the pool while others are replaced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Replacements {
    /// Starting workers that are replacements.
    pub(super) replacing: usize,
    /// Replacements that are Ready, and for which no worker that is due has left yet.
    pub(super) credits: usize,
}

impl Pool {
    /// Brings the pool to its wanted size. Cheap when there is nothing to do.
    pub(super) fn adjust(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        self.adjust_templates(now, effects);
        self.clamp_surplus();
        self.retire_replaced(now, effects);
        self.retire_above_max(now, effects);
        self.assign_waiting(now, effects);
        self.make_room(now, effects);
        self.retire_surplus(now, effects);
        self.spawn_canary(now, effects);
        self.spawn_wanted(now, effects);
        self.release_hopeless(now, effects);
        self.note_reloaded(effects);
        self.arm_pool_alarm(now);
    }

    /// Workers the pool counts as its size: all that serve or will, without those that are there to replace.
    fn seats(&self) -> usize {
        let replacements = self.replacements.replacing + self.replacements.credits + self.canaries();
        self.counts.serving().saturating_sub(replacements)
    }

    /// How many seats are filled whoever waits: the warm minimum, or as many as there are runs whose workers will not
    /// serve again. So where each execution has a process of its own the next one is started as soon as a run is handed
    /// over, and a pool that is never out of work finds a Ready worker at the end of every run that took as long as a start.
    fn warm_seats(&self) -> usize {
        self.counts.last_run.min(self.config.max_workers).max(self.config.min_workers)
    }

    /// Seats whose workers are Ready.
    fn ready_seats(&self) -> usize {
        (self.counts.idle + self.counts.busy).saturating_sub(self.replacements.credits)
    }

    fn canaries(&self) -> usize {
        usize::from(self.canary().is_some())
    }

    /// Starting workers without the canary of a reload.
    pub(super) fn ordinary_starting(&self) -> usize {
        self.counts.starting.saturating_sub(self.canaries())
    }

    /// A replacement is an ordinary worker as soon as whom it replaces is gone, or when the pool has lost
    /// another one and is below its minimum: then it fills that seat, and the one that is due waits for the
    /// next replacement.
    pub(super) fn clamp_surplus(&mut self) {
        let due = self.counts.due;
        let credits = self.replacements.credits.min(due);
        let replacing = self.replacements.replacing.min(self.ordinary_starting()).min(due - credits);
        self.replacements = Replacements { replacing, credits };
        let lost = self.config.min_workers.saturating_sub(self.seats());
        let filled = lost.min(credits);
        self.replacements.credits -= filled;
        self.replacements.replacing -= (lost - filled).min(replacing);
    }

    /// A worker became Ready: it is the canary, or a replacement, or simply one more.
    pub(super) fn start_succeeded(&mut self, id: WorkerId) {
        let is_of_old_generation =
            self.workers.get(&id).is_some_and(|worker| worker.generation < self.generation);
        if self.canary_is_ready(id) {
            self.replacements.credits += 1;
        } else if is_of_old_generation {
            // It began to start before the reload and serves until its own replacement is Ready.
            self.becomes_due(id, RecycleReason::Generation);
        } else if self.replacements.replacing > 0 {
            self.replacements.replacing -= 1;
            self.replacements.credits += 1;
        }
    }

    /// Those whose replacement is Ready go. If others died meanwhile they stay until the pool is whole.
    fn retire_replaced(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        while self.replacements.credits > 0
            && self.ready_seats() >= self.config.min_workers
            && let Some(id) = self.idle.coldest_due()
        {
            self.replacements.credits -= 1;
            self.retire_due(now, id, effects);
        }
    }

    fn retire_due(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let due = self.workers.get(&id).and_then(|worker| worker.due);
        self.retire(now, id, due.map_or("it is not needed", RecycleReason::reason), effects);
    }

    /// After a resize: those that start and serve nobody first, then idle ones; busy ones after their run.
    fn retire_above_max(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        while self.seats() > self.config.max_workers {
            let victim = if self.ordinary_starting() > 0 {
                self.newest_starting()
            } else {
                self.idle.coldest_due().or_else(|| self.idle.coldest_fresh().map(|(id, _)| id))
            };
            let Some(victim) = victim else { return };
            self.retire(now, victim, "the pool was made smaller", effects);
            self.clamp_surplus();
        }
    }

    fn newest_starting(&self) -> Option<WorkerId> {
        let canary = self.canary();
        self.workers
            .values()
            .rev()
            .find(|worker| matches!(worker.state, WorkerState::Starting(_)) && Some(worker.id) != canary)
            .map(|worker| worker.id)
    }

    /// Above the warm seats: who is due goes without a replacement, and who had nothing to do for
    /// `worker_idle` goes, coldest first.
    fn retire_surplus(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        while self.ready_seats() > self.warm_seats()
            && self.replacements.replacing + self.replacements.credits < self.counts.due
            && let Some(id) = self.idle.coldest_due()
        {
            self.retire_due(now, id, effects);
        }
        while self.ready_seats() > self.warm_seats()
            && let Some((id, since)) = self.idle.coldest_fresh()
            && since + self.config.worker_idle <= now
        {
            self.retire(now, id, "it had nothing to do", effects);
        }
    }

    /// Starts what is missing: the warm minimum, what waits for too long, replacements. At most one worker
    /// above `max_workers` serves meanwhile.
    fn spawn_wanted(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        while self.workers.len() < self.config.max_processes()
            && self.counts.serving() - self.canaries() <= self.config.max_workers
            && self.starts.allow(now, self.ordinary_starting())
        {
            let is_replacement = if self.seats() < self.warm_seats() || self.is_worker_missing(now) {
                false
            } else if self.is_replacement_missing() {
                true
            } else {
                return;
            };
            self.spawn(now, self.generation, effects);
            self.replacements.replacing += usize::from(is_replacement);
        }
    }

    /// Somebody has waited long enough, and one more worker would help: it would have something to run.
    fn is_worker_missing(&self, now: PoolTime) -> bool {
        let has_waited = self.has_oldest_waited(now) || self.counts.serving() == 0;
        has_waited && self.ordinary_starting() < self.runnable() && self.seats() < self.config.max_workers
    }

    /// Waiting attempts that could run if they had workers.
    pub(super) fn runnable(&self) -> usize {
        self.queue.waiting().min(self.config.max_workers.saturating_sub(self.queue.running()))
    }

    /// The oldest attempt has waited so long for a worker that another one may be started.
    pub(super) fn has_oldest_waited(&self, now: PoolTime) -> bool {
        self.queue.oldest().is_some_and(|oldest| oldest.queued_at + self.config.scale_up_wait <= now)
    }

    /// Each worker at the end of its executions may have its replacement started; the others that are due
    /// are replaced one by one.
    fn is_replacement_missing(&self) -> bool {
        let Replacements { replacing, credits } = self.replacements;
        let at_once = self.counts.spent + usize::from(self.counts.due > self.counts.spent);
        replacing + credits < self.counts.due && replacing < at_once
    }

    /// The next moment at which this page would decide differently though nothing happened.
    fn arm_pool_alarm(&mut self, now: PoolTime) {
        let oldest = self.queue.oldest().map(|waiting| waiting.queued_at);
        let scale_up = oldest.map(|queued_at| queued_at + self.config.scale_up_wait);
        let is_failing = self.starts.consecutive > 0;
        let hopeless = oldest.filter(|_| is_failing).map(|queued_at| queued_at + self.config.worker_start);
        let replacements = self
            .idle
            .coldest_fresh()
            .filter(|_| self.ready_seats() > self.warm_seats())
            .map(|(_, since)| since + self.config.worker_idle);
        let candidates = [scale_up, hopeless, replacements, self.starts.next_try, self.next_template()];
        let next = candidates.into_iter().flatten().filter(|time| *time > now).min();
        self.timers.set(&mut self.alarm, TimerOwner::Pool, next);
    }

    /// A person wants one worker replaced.
    pub(super) fn recycle(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        self.template_is_stale(now, id, effects);
        self.becomes_due(id, RecycleReason::Asked);
    }

    /// A person wants all workers of today replaced.
    pub(super) fn recycle_all(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            self.recycle(now, id, effects);
        }
    }

    /// Marks a Ready worker as one to be replaced. One that is starting is new, one that leaves is replaced
    /// already.
    pub(super) fn becomes_due(&mut self, id: WorkerId, due: RecycleReason) {
        let idle = &mut self.idle;
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) | WorkerState::Template(_) | WorkerState::Leaving(_) => return,
            WorkerState::Idle { turn } => idle.becomes_due(*turn),
            WorkerState::Busy(_) => {}
        }
        self.alter(id, |worker, _| {
            worker.due.get_or_insert(due);
        });
    }

    /// Notes the end of a rolling reload.
    fn note_reloaded(&mut self, effects: &mut Vec<PoolEffect>) {
        // While one is due the roll goes on, and most steps end here without walking the table.
        if !matches!(self.reload, ReloadState::Rolling) || self.counts.due > 0 {
            return;
        }
        let generation = self.generation;
        let serves_old = |worker: &super::worker::PoolWorker| match &worker.state {
            WorkerState::Starting(_) | WorkerState::Idle { .. } | WorkerState::Busy(_) => {
                worker.generation < generation
            }
            WorkerState::Template(_) | WorkerState::Leaving(_) => false,
        };
        if !self.workers.values().any(serves_old) {
            self.reload = ReloadState::Settled;
            effects.push(PoolEffect::Reloaded { generation });
        }
    }
}
