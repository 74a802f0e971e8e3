//! What a worker says that is in no execution's log: records of runs that are over or of no run, and lines of stderr
//! between two runs. It goes to the supervisor's own log with the execution it belongs to, as far as that is known.
//!
//! All of it is masked by what its process was ever given before it comes here, and there is only so much of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use muster_core::execution::{Attempt, LogLine};
use muster_core::pool::WorkerId;
use serde_json::value::RawValue;

/// The execution of a run is known for so many runs of its worker.
const KNOWN_RUNS_MAX: usize = 256;
/// So much is shown of a worker within a while.
const LINES_MAX: u32 = 100;
/// The while.
const LINES_EVERY: Duration = Duration::from_secs(60);

/// The runs a worker was given last.
#[derive(Debug, Default)]
pub(super) struct KnownRuns(VecDeque<(u32, Attempt)>);

impl KnownRuns {
    /// It is given this one.
    pub(super) fn add(&mut self, run: u32, attempt: Attempt) {
        if self.0.len() == KNOWN_RUNS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((run, attempt));
    }

    /// True for one that was never given any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attempt that the run was, unless that is too long ago. Runs count up.
    fn attempt(&self, run: u32) -> Option<Attempt> {
        let at = self.0.binary_search_by_key(&run, |(number, _)| *number).ok()?;
        self.0.get(at).map(|(_, attempt)| *attempt)
    }
}

/// What one worker still may say.
#[derive(Debug, Default)]
pub(super) struct LateLog {
    since: Option<Instant>,
    lines: u32,
}

/// Whether a line is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Showing {
    Yes,
    /// And nothing after it for a while.
    Last,
    No,
}

impl LateLog {
    /// Tells of records of a run that its worker does not hold; run 0 is none.
    pub(super) fn recorded(&mut self, worker: WorkerId, run: u32, known: &KnownRuns, lines: &[LogLine]) {
        let attempt = known.attempt(run);
        for line in lines {
            match self.take(Instant::now()) {
                Showing::Yes => tell(worker, run, attempt, line),
                Showing::Last => {
                    tell(worker, run, attempt, line);
                    told_enough(worker);
                }
                Showing::No => return,
            }
        }
    }

    /// Tells of a line of stderr while its worker holds no run.
    pub(super) fn printed(&mut self, worker: WorkerId, line: &str) {
        let showing = self.take(Instant::now());
        if showing != Showing::No {
            tracing::info!(%worker, line, "worker wrote to stderr outside of a run");
        }
        if showing == Showing::Last {
            told_enough(worker);
        }
    }

    fn take(&mut self, now: Instant) -> Showing {
        if self.since.is_none_or(|since| now.duration_since(since) >= LINES_EVERY) {
            (self.since, self.lines) = (Some(now), 0);
        }
        self.lines = self.lines.saturating_add(1);
        match self.lines {
            0..LINES_MAX => Showing::Yes,
            LINES_MAX => Showing::Last,
            _ => Showing::No,
        }
    }
}

/// At the record's own level, but for errors: those of user code are nobody's duty here.
fn tell(worker: WorkerId, run: u32, attempt: Option<Attempt>, line: &LogLine) {
    let execution_id = attempt.map(|attempt| tracing::field::display(attempt.execution_id));
    let number = attempt.map(|attempt| attempt.number);
    let (level, logger, line, fields) =
        (&*line.level, line.logger.as_str(), line.message.as_str(), line.fields.as_deref());
    let fields = fields.map(RawValue::get);
    let said = if run == 0 { "worker logged outside of a run" } else { "execution logged after its end" };
    macro_rules! event {
        ($macro:ident) => {
            tracing::$macro!(%worker, execution_id, attempt = number, run, level, logger, line, fields, "{said}")
        };
    }
    match level {
        "error" | "warn" => event!(warn),
        "debug" => event!(debug),
        _ => event!(info),
    }
}

fn told_enough(worker: WorkerId) {
    tracing::warn!(%worker, "worker goes on saying what is in no execution's log; no more of it is shown for a minute");
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn so_many_lines_are_shown_in_each_while() {
        let (mut late, start) = (LateLog::default(), Instant::now());
        let shown = |late: &mut LateLog, now| {
            (0..1_000).map(|_| late.take(now)).filter(|showing| *showing != Showing::No).count()
        };
        assert_eq!(shown(&mut late, start), 100);
        assert_eq!(shown(&mut late, start + LINES_EVERY / 2), 0);
        assert_eq!(shown(&mut late, start + LINES_EVERY), 100);
    }

    #[test]
    fn the_execution_of_a_run_is_known_until_many_others_came() {
        let attempt = |run: u32| Attempt::new(Uuid::from_u128(run.into()), 1);
        let mut known = KnownRuns::default();
        for run in 1..=300 {
            known.add(run, attempt(run));
        }
        assert_eq!([0, 44, 301].map(|run| known.attempt(run)), [None; 3]);
        assert_eq!([45, 300].map(|run| known.attempt(run)), [45, 300].map(|run| Some(attempt(run))));
    }
}
