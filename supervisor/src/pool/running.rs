//! From Execute to Idle: routing, and the frames of a run.

use muster_protocol::{CancelReason, Metrics, Outcome};

use super::config::{DEATHS_BEFORE_STARTED_MAX, IDLE_TIMEOUT, STARTED_TIMEOUT};
use super::effect::{Effect, Ending, Finish, KillCause};
use super::event::{Assignment, Exit, Violation, WorkerId};
use super::idle::IdleToken;
use super::machine::Pool;
use super::queue::Waiting;
use super::run::{Cause, Finished, Phase, Run};
use super::time::Time;
use super::verdict::{self, Verdict};
use super::worker::{Due, Leaving, State, Worker};

/// What a frame about a run is about.
enum Concern {
    /// The run the worker has.
    Current,
    /// A run that has ended.
    Ended,
    /// A run it was never given.
    Unheard,
    /// It is not even Ready.
    Unready,
}

impl Worker {
    fn concern(&self, run_number: u32) -> Concern {
        match &self.state {
            State::Starting(_) => Concern::Unready,
            State::Idle { .. } if run_number > self.runs => Concern::Unheard,
            State::Idle { .. } | State::Leaving(_) => Concern::Ended,
            State::Busy(run) => match run_number.cmp(&run.number) {
                std::cmp::Ordering::Less => Concern::Ended,
                std::cmp::Ordering::Equal => Concern::Current,
                std::cmp::Ordering::Greater => Concern::Unheard,
            },
        }
    }
}

impl Pool {
    /// A claimed execution arrives. One the pool already holds is ignored: an attempt runs once.
    pub(super) fn submit(&mut self, now: Time, assignment: Assignment, effects: &mut Vec<Effect>) {
        if self.queue.place(assignment.attempt).is_some() {
            return;
        }
        if self.draining.is_some() {
            let reason = "the supervisor is shutting down".to_owned();
            return self.finish_unrun(assignment, Ending::Released { reason, charged: false }, effects);
        }
        let waiting = Waiting { assignment, queued_at: now, deaths: 0 };
        if self.queue.waiting() == 0
            && self.has_room_to_run()
            && let Some(token) = self.idle.take_warmest()
        {
            return self.execute(now, token, waiting, effects);
        }
        self.queue.push_back(waiting);
    }

    /// Executions at once are bounded whatever number of workers lives, and a run that is being ended counts.
    pub(super) fn has_room_to_run(&self) -> bool {
        self.queue.running() < self.config.max_workers
    }

    /// Gives waiting attempts to idle workers, oldest to warmest.
    pub(super) fn assign_waiting(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.queue.waiting() > 0 && self.has_room_to_run() {
            let Some(token) = self.idle.take_warmest() else { return };
            let Some(waiting) = self.queue.pop() else { return };
            self.execute(now, token, waiting, effects);
        }
    }

    /// Moves an idle worker's token into a run.
    fn execute(&mut self, now: Time, token: IdleToken, waiting: Waiting, effects: &mut Vec<Effect>) {
        let Waiting { assignment, queued_at, deaths } = waiting;
        let id = token.worker();
        let cancel_grace = self.config.cancel_grace();
        let sent = self.alter(id, |worker, timers| {
            worker.runs += 1;
            worker.since = now;
            if worker.runs >= worker.execution_limit && worker.due.is_none() {
                // Its last one: the replacement is started now, to be Ready when this run is over.
                worker.due = Some(Due::Spent);
            }
            worker.state = State::Busy(Run {
                number: worker.runs,
                assignment,
                queued_at,
                deaths,
                sent_at: now,
                started_at: None,
                finished: None,
                cause: None,
                wish: None,
                goodbye: None,
                phase: Phase::Sent,
            });
            worker.set_deadline(timers, Some(now + STARTED_TIMEOUT));
            let grace = if worker.features.cancel { cancel_grace } else { std::time::Duration::ZERO };
            (worker.runs, grace)
        });
        match sent {
            Some((run, grace)) => {
                self.queue.given(assignment.attempt, id);
                effects.push(Effect::Execute { worker: id, run, attempt: assignment.attempt, grace });
            }
            // A token without its worker does not exist; the attempt would wait on all the same.
            None => self.queue.push_front(waiting),
        }
    }

    pub(super) fn run_started(&mut self, now: Time, id: WorkerId, number: u32, effects: &mut Vec<Effect>) {
        if !self.is_about_current(now, id, number, "Started", effects) {
            return;
        }
        let broken = self.alter(id, |worker, timers| {
            let State::Busy(run) = &mut worker.state else { return None };
            if run.finished.is_some() {
                return Some("Started after Finished");
            }
            if run.started_at.is_some() {
                return Some("a second Started");
            }
            run.started_at = Some(now);
            effects.push(Effect::Started { attempt: run.assignment.attempt, worker: id });
            match run.phase {
                Phase::Sent => {
                    run.phase = Phase::Started;
                    let deadline = run.assignment.timeout.map(|timeout| now + timeout);
                    worker.since = now;
                    worker.set_deadline(timers, deadline);
                    None
                }
                Phase::Departing => Some("Started after Goodbye"),
                Phase::Started
                | Phase::Finished
                | Phase::Cancelling { .. }
                | Phase::Terminating
                | Phase::Killing => None,
            }
        });
        if let Some(Some(message)) = broken {
            self.broken(now, id, message.to_owned(), effects);
        }
    }

    pub(super) fn run_finished(
        &mut self,
        now: Time,
        id: WorkerId,
        number: u32,
        outcome: Outcome,
        metrics: Metrics,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_about_current(now, id, number, "Finished", effects) {
            return;
        }
        let is_second = self.alter(id, |worker, timers| {
            let State::Busy(run) = &mut worker.state else { return false };
            if run.finished.is_some() {
                return true;
            }
            run.finished = Some(Finished { at: now, outcome, metrics });
            match run.phase {
                Phase::Sent | Phase::Started => {
                    run.phase = Phase::Finished;
                    worker.since = now;
                    worker.set_deadline(timers, Some(now + IDLE_TIMEOUT));
                }
                // What we have begun goes on until Idle: only that shows that the worker is well.
                Phase::Finished
                | Phase::Cancelling { .. }
                | Phase::Departing
                | Phase::Terminating
                | Phase::Killing => {}
            }
            false
        });
        if is_second == Some(true) {
            self.broken(now, id, "a second Finished".to_owned(), effects);
        }
    }

    pub(super) fn run_idle(
        &mut self,
        now: Time,
        id: WorkerId,
        number: u32,
        rss_bytes: u64,
        asks_recycle: bool,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_about_current(now, id, number, "Idle", effects) {
            return;
        }
        let Some(State::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else { return };
        if run.finished.is_none() {
            return self.broken(now, id, "Idle before Finished".to_owned(), effects);
        }
        let Some(run) = self.take_run(id) else { return };
        let phase = run.phase;
        self.conclude(now, id, run, None, effects);
        match phase {
            Phase::Sent | Phase::Started | Phase::Finished | Phase::Cancelling { .. } => {
                self.after_run(now, id, rss_bytes, asks_recycle, effects);
            }
            // A worker that was told to go, or said it goes, never serves again, whatever it says now.
            Phase::Departing | Phase::Terminating | Phase::Killing => {}
        }
    }

    /// Takes the run out of a worker, which leaves it on the way out until [`Pool::rest`] says otherwise.
    pub(super) fn take_run(&mut self, id: WorkerId) -> Option<Run> {
        self.alter(id, |worker, _| {
            let State::Busy(run) = &worker.state else { return None };
            let leaving = match run.phase {
                Phase::Sent
                | Phase::Started
                | Phase::Finished
                | Phase::Cancelling { .. }
                | Phase::Departing => Leaving::Asked,
                Phase::Terminating => Leaving::Terminated(KillCause::Retired),
                Phase::Killing => Leaving::Killed,
            };
            worker.executions_done += 1;
            match std::mem::replace(&mut worker.state, State::Leaving(leaving)) {
                State::Busy(run) => Some(run),
                State::Starting(_) | State::Idle { .. } | State::Leaving(_) => None,
            }
        })?
    }

    /// A worker in good health ended a run: it rests, or leaves for a reason that does not wait for a
    /// replacement. Above its memory limit it gets no other run, because that one would pay for this one.
    fn after_run(
        &mut self,
        now: Time,
        id: WorkerId,
        rss_bytes: u64,
        asks_recycle: bool,
        effects: &mut Vec<Effect>,
    ) {
        let rss_bytes = self.alter(id, |worker, _| {
            if rss_bytes > 0 {
                worker.rss_bytes = rss_bytes;
            }
            worker.rss_bytes
        });
        if self.draining.is_some() {
            self.retire(now, id, "the supervisor is shutting down", effects);
        } else if rss_bytes.is_some_and(|rss_bytes| self.config.is_above_memory_limit(rss_bytes)) {
            self.retire(now, id, Due::Memory.reason(), effects);
        } else if asks_recycle {
            self.retire(now, id, "it asked to be replaced", effects);
        } else {
            // It was too large for a while and is not any more.
            self.alter(id, |worker, _| worker.due = worker.due.filter(|due| *due != Due::Memory));
            self.rest(now, id);
        }
    }

    /// The one place where a worker becomes idle.
    pub(super) fn rest(&mut self, now: Time, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        let turn = self.idle.rest(id, worker.due.is_some(), now);
        self.alter(id, |worker, timers| {
            worker.state = State::Idle { turn };
            worker.since = now;
            worker.set_deadline(timers, None);
        });
    }

    /// Sorts out frames about other runs: late ones are counted and dropped, impossible ones end the worker.
    fn is_about_current(
        &mut self,
        now: Time,
        id: WorkerId,
        number: u32,
        frame: &str,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(worker) = self.workers.get(&id) else { return false };
        match worker.concern(number) {
            Concern::Current => true,
            Concern::Ended => {
                self.stale_frames += 1;
                false
            }
            Concern::Unheard => {
                self.broken(now, id, format!("{frame} for run {number}, which it was never given"), effects);
                false
            }
            Concern::Unready => {
                self.broken(now, id, format!("{frame} before Ready"), effects);
                false
            }
        }
    }

    /// The worker broke the order of the conversation.
    pub(super) fn broken(&mut self, now: Time, id: WorkerId, message: String, effects: &mut Vec<Effect>) {
        self.violate(now, id, Violation::Broken { message }, effects);
    }

    /// The end of a run whose worker is idle, doomed or dead: an outcome, or another worker.
    pub(super) fn conclude(
        &mut self,
        now: Time,
        id: WorkerId,
        mut run: Run,
        exit: Option<&Exit>,
        effects: &mut Vec<Effect>,
    ) {
        let verdict = verdict::judge(&mut run, exit, now);
        let ending = match verdict {
            Verdict::Ends(ending) => ending,
            Verdict::NeverStarted { evidence } => match self.unstarted(&run, evidence) {
                Some(ending) => ending,
                None => {
                    let (assignment, queued_at) = (run.assignment, run.queued_at);
                    let waiting = Waiting { assignment, queued_at, deaths: run.deaths + 1 };
                    self.queue.finished(assignment.attempt);
                    return self.queue.push_front(waiting);
                }
            },
        };
        let ended_at = run.finished.as_ref().map_or(now, |finished| finished.at);
        self.queue.finished(run.assignment.attempt);
        effects.push(Effect::Finish(Finish {
            attempt: run.assignment.attempt,
            ending,
            worker: Some(id),
            duration: run.duration(ended_at),
            metrics: run.finished.map(|finished| finished.metrics),
        }));
    }

    /// What becomes of an attempt whose worker died before Started; `None` to try another worker.
    fn unstarted(&self, run: &Run, evidence: String) -> Option<Ending> {
        if let Some(reason) = run.wish {
            return Some(verdict::unrun_ending(reason, "cancelled before it entered the workflow"));
        }
        if self.draining.is_some() {
            let reason =
                "its worker ended before it entered the workflow, and the supervisor is shutting down";
            return Some(Ending::Released { reason: reason.to_owned(), charged: false });
        }
        let deaths = run.deaths + 1;
        (deaths >= DEATHS_BEFORE_STARTED_MAX).then(|| verdict::never_entered(deaths, &evidence))
    }

    /// The end of an attempt that no worker has.
    pub(super) fn finish_unrun(&mut self, assignment: Assignment, ending: Ending, effects: &mut Vec<Effect>) {
        self.queue.finished(assignment.attempt);
        effects.push(Effect::Finish(Finish {
            attempt: assignment.attempt,
            ending,
            worker: None,
            duration: None,
            metrics: None,
        }));
    }

    /// A measurement while a worker lives: it matters while it runs user code.
    pub(super) fn memory_sample(
        &mut self,
        now: Time,
        id: WorkerId,
        rss_bytes: u64,
        effects: &mut Vec<Effect>,
    ) {
        let kill_bytes = self.config.memory_kill_bytes();
        let is_above_limit = self.config.is_above_memory_limit(rss_bytes);
        let kills = self.alter(id, |worker, _| {
            worker.rss_bytes = rss_bytes;
            let State::Busy(run) = &mut worker.state else { return false };
            match run.phase {
                Phase::Sent
                | Phase::Started
                | Phase::Cancelling { .. }
                | Phase::Departing
                | Phase::Terminating => {}
                Phase::Finished | Phase::Killing => return false,
            }
            if run.finished.is_none() && kill_bytes.is_some_and(|limit| rss_bytes > limit) {
                run.cause.get_or_insert(Cause::Memory { rss_bytes });
                return true;
            }
            if is_above_limit {
                // Its replacement is started while it still runs.
                worker.due.get_or_insert(Due::Memory);
            }
            false
        });
        if kills == Some(true) {
            self.kill_run(now, id, KillCause::Memory, effects);
        }
    }

    /// What a reason makes of an attempt that has not been given to a worker.
    pub(super) fn cancel_waiting(
        &mut self,
        number: i64,
        reason: CancelReason,
        message: &str,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(waiting) = self.queue.take(number) {
            self.finish_unrun(waiting.assignment, verdict::unrun_ending(reason, message), effects);
        }
    }
}
