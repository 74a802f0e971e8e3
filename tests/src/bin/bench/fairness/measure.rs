//! What the runs of a case come to: parts of the worker time, waits, and workers without a run. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::cases::FairnessCase;

/// A run, with its times in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimedRun {
    pub(super) organization: usize,
    pub(super) created: f64,
    pub(super) started: f64,
    pub(super) ended: f64,
}

/// What one organization had.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShareOutcome {
    /// Its part of all the worker time that was had.
    pub(super) share: f64,
    /// The part that it is to have by its weight.
    pub(super) due: f64,
    pub(super) runs: usize,
}

/// How long those waited that came late, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateWait {
    pub(super) p50: f64,
    pub(super) p95: f64,
}

#[derive(Debug)]
pub(super) struct CaseOutcome {
    pub(super) parts: Vec<ShareOutcome>,
    pub(super) late_wait: Option<LateWait>,
    /// The part of the workers' time in which they had a run.
    pub(super) busy: f64,
    /// The longest that a worker was without one, though something waited.
    pub(super) longest_pause: Duration,
    /// Worker time of each organization in each second, in workers.
    pub(super) by_second: Vec<Vec<f64>>,
}

/// A worker that waits for longer than this for its next run was not needed, or forgotten.
const PAUSE_MAX: Duration = Duration::from_millis(500);

impl CaseOutcome {
    pub(super) fn of(
        case: &FairnessCase,
        workers: usize,
        (from, to): (f64, f64),
        runs: Vec<TimedRun>,
    ) -> Self {
        let worked =
            |run: &TimedRun, from: f64, to: f64| (run.ended.min(to) - run.started.max(from)).max(0.0);
        let all: f64 = runs.iter().map(|run| worked(run, from, to)).sum();
        let weights: f64 = case.organizations.iter().map(|one| one.weight).sum();
        let of = |place: usize| runs.iter().filter(move |run| run.organization == place);
        let parts = case.organizations.iter().enumerate().map(|(place, organization)| ShareOutcome {
            share: of(place).map(|run| worked(run, from, to)).sum::<f64>() / all.max(f64::MIN_POSITIVE),
            due: organization.weight / weights,
            runs: of(place).count(),
        });
        let seconds = (to - from) as usize;
        let in_second = |place: usize, second: usize| {
            let begin = from + second as f64;
            of(place).map(|run| worked(run, begin, begin + 1.0)).sum()
        };
        let by_second = (0..case.organizations.len())
            .map(|place| (0..seconds).map(|second| in_second(place, second)).collect())
            .collect();
        Self {
            parts: parts.collect(),
            late_wait: late_wait(case, &runs, from),
            busy: all / ((to - from) * workers as f64),
            longest_pause: longest_pause(&runs, workers, from, to),
            by_second,
        }
    }

    /// The bars that it does not hold.
    pub(super) fn missed(&self, case: &FairnessCase) -> Vec<String> {
        let mut missed = Vec::new();
        for (organization, part) in case.organizations.iter().zip(&self.parts) {
            let off = (part.share - part.due).abs();
            if case.within.is_some_and(|within| off > within) {
                missed.push(format!("({}) {} had {:.3}", case.letter, organization.name, part.share));
            }
        }
        if let Some((wait, most)) = self.late_wait.zip(case.late_p95).filter(|(wait, most)| wait.p95 >= *most)
        {
            missed.push(format!("({}) who came late waited {:.2} s, not {most}", case.letter, wait.p95));
        }
        if self.longest_pause > PAUSE_MAX {
            missed.push(format!("({}) a worker paused for {:?}", case.letter, self.longest_pause));
        }
        missed
    }

    pub(super) fn to_json(&self, case: &FairnessCase) -> Value {
        let parts = case.organizations.iter().zip(&self.parts).map(|(organization, part)| {
            json!({ "name": organization.name, "weight": organization.weight, "run_ms": organization.run_ms,
                "share": part.share, "due": part.due, "runs": part.runs })
        });
        json!({
            "case": case.letter.to_string(),
            "what": case.what,
            "organizations": parts.collect::<Vec<_>>(),
            "late_wait_seconds": self.late_wait.map(|wait| json!({ "p50": wait.p50, "p95": wait.p95 })),
            "busy": self.busy,
            "longest_pause_ms": self.longest_pause.as_millis() as u64,
            "workers_by_second": self.by_second,
        })
    }
}

fn late_wait(case: &FairnessCase, runs: &[TimedRun], from: f64) -> Option<LateWait> {
    let is_late = |run: &&TimedRun| case.organizations[run.organization].burst > 0 && run.created >= from;
    let mut waits: Vec<f64> = runs.iter().filter(is_late).map(|run| run.started - run.created).collect();
    waits.sort_by(f64::total_cmp);
    let at =
        |percent: usize| waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1))).copied();
    Some(LateWait { p50: at(50)?, p95: at(95)? })
}

/// By the starts and ends alone: whoever is free takes the next run, the one first that has been free for longest.
fn longest_pause(runs: &[TimedRun], workers: usize, from: f64, to: f64) -> Duration {
    let mut moments: Vec<(f64, bool)> =
        runs.iter().flat_map(|run| [(run.started, true), (run.ended, false)]).collect();
    moments.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let mut free = std::collections::VecDeque::from(vec![from; workers]);
    let mut longest = 0.0_f64;
    for (at, starts) in moments {
        if starts {
            let since = free.pop_front();
            longest = longest.max(since.map_or(0.0, |since| at.min(to) - since.max(from)));
        } else if at <= to {
            free.push_back(at);
        }
    }
    Duration::from_secs_f64(longest.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn run(organization: usize, started: f64, ended: f64) -> TimedRun {
        TimedRun { organization, created: started - 0.3, started, ended }
    }

    #[test]
    fn worker_time_waits_and_pauses_are_read_off_the_runs() {
        let cases = cases::all(10);
        let runs =
            vec![run(0, 100.0, 101.0), run(1, 100.0, 100.5), run(1, 100.7, 103.0), run(0, 101.0, 102.0)];
        let outcome = CaseOutcome::of(&cases[0], 2, (100.0, 103.0), runs);
        assert!((outcome.parts[1].share - 2.8 / 4.8).abs() < 1e-9, "{outcome:?}");
        assert!(
            (outcome.busy - 4.8 / 6.0).abs() < 1e-9 && outcome.by_second[0] == [1.0, 1.0, 0.0],
            "{outcome:?}"
        );
        assert!((outcome.longest_pause.as_secs_f64() - 0.2).abs() < 1e-6, "{outcome:?}");
        assert!((outcome.late_wait.unwrap().p95 - 0.3).abs() < 1e-6);
        assert!(outcome.missed(&cases[0]).is_empty());
        assert_eq!(outcome.missed(&cases[1]).len(), 2, "both are off by more than a twentieth");
    }
}
