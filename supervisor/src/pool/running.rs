//! From Execute to Idle: the frames of a run.

use muster_protocol::{Metrics, Outcome};

use super::config::IDLE_TIMEOUT;
use super::effect::{Effect, KillCause};
use super::event::{Violation, WorkerId};
use super::machine::Pool;
use super::run::{Cause, Finished, Phase};
use super::time::Time;
use super::worker::{Due, State, Worker};

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
}
