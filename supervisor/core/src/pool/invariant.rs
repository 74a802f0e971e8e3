//! What always holds of the pool, by name: the same names in `LIFECYCLE.md`, in the simulation, in its failures and
//! in the metric of violations. The simulation looks at all of them, the pool itself at those that cost nothing to see.

use super::machine::Pool;
use super::time::PoolTime;
use crate::check_invariant;

crate::invariants! {
    /// Something that holds after every step, whatever workers, callers and clocks do.
    pub enum PoolInvariant {
        /// Every submitted attempt gets exactly one Finish.
        OneFinish = "pool.one-finish",
        /// A Finish is of a kind that the evidence allows.
        HonestEnding = "pool.honest-ending",
        /// An attempt is given to a second worker only after the first is gone, and never after Started was read.
        OneWorker = "pool.one-worker",
        /// A worker has at most one run; an Execute goes only to an idle worker; its run numbers count up.
        OneRun = "pool.one-run",
        /// Under `isolation = organization` a worker is given runs of one organization only, those without one being a unit.
        OneOrganization = "pool.one-organization",
        /// Under `isolation = execution` a worker is given one Execute in its life.
        OneExecution = "pool.one-execution",
        /// At most `max_workers` executions are with workers, those that are being ended included.
        CeilingOfRuns = "pool.ceiling-of-runs",
        /// A spawn goes beyond the ceiling only for replacements, and by no more than their bounds.
        CeilingOfWorkers = "pool.ceiling-of-workers",
        /// While starts succeed, workers that serve or start are never fewer than `min_workers`.
        WarmMinimum = "pool.warm-minimum",
        /// No idle worker stands beside a waiting execution that may run and that it may serve.
        NoIdleBesideWork = "pool.no-idle-beside-work",
        /// No execution waits long without a start under way, unless the pool is at its ceiling with work that came before.
        WaitStartsWorker = "pool.wait-starts-worker",
        /// Every state but Idle, and Started without a timeout, ends in bounded time.
        StatesEnd = "pool.states-end",
        /// Messages and signals go only to live workers that take them, each signal once.
        AddressesLive = "pool.addresses-live",
        /// A failed start is tried again after its backoff, one at a time.
        Backoff = "pool.backoff",
        /// The counts and places that decisions are made from are those of the workers and attempts there are.
        CountsAgree = "pool.counts-agree",
        /// A template is asked for workers while it stands, by workers of its generation, a few at once.
        ForkOfStanding = "pool.fork-of-standing",
        /// A generation has at most one template that stands and one that starts, and none when it is over.
        OneTemplate = "pool.one-template",
        /// The next deadline is in the future.
        NeverSpins = "pool.never-spins",
        /// With nothing to do the pool comes to rest at its smallest size, whole and of one generation.
        ComesToRest = "pool.comes-to-rest",
        /// A drain ends with no process and no attempt left.
        DrainEnds = "pool.drain-ends",
    }
}

impl Pool {
    /// What can be seen of every step at its end without walking a table.
    pub(super) fn check_deadlines(&self, now: PoolTime) {
        let next = self.next_deadline();
        check_invariant!(
            next.is_none_or(|next| next > now),
            PoolInvariant::NeverSpins,
            "{next:?} at {now:?}"
        );
    }

    /// What can be seen of the counts.
    pub(super) fn check_step(&self) {
        let (serving, workers) = (self.counts.serving(), self.workers.len());
        check_invariant!(
            serving <= workers,
            PoolInvariant::CountsAgree,
            "{serving} workers serve, and there are {workers}"
        );
        let running = self.queue.running();
        check_invariant!(
            running <= workers,
            PoolInvariant::OneRun,
            "{running} attempts are with {workers} workers"
        );
    }

    /// What can be seen of a pool that is brought to its size at the end of a step.
    pub(super) fn check_size(&self) {
        let (waiting, idle) = (self.queue.waiting(), self.counts.idle - self.idle.bound());
        check_invariant!(
            waiting == 0 || idle == 0 || !self.has_room_to_run(),
            PoolInvariant::NoIdleBesideWork,
            "{idle} workers that may serve anyone are idle while {waiting} attempts wait"
        );
    }
}
