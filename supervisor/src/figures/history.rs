//! From what supervisors noted to the steps of a chart. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::FiguresRecord;
use uuid::Uuid;

use super::{NotedFigures, QUARTER_MINUTES};
use crate::api::{HistorySpan, HistoryStep, HistoryView, OutcomeCounts};

/// How long the stretches are that such a span is made of, in minutes.
pub(crate) fn minutes_of_record(span: HistorySpan) -> u32 {
    match span {
        HistorySpan::Hour => 1,
        HistorySpan::Day | HistorySpan::Week => QUARTER_MINUTES,
    }
}

/// What the supervisors noted, in steps up to now.
pub(crate) fn history(span: HistorySpan, now: Timestamp, records: Vec<FiguresRecord>) -> HistoryView {
    let (since, step_seconds) = (span.since(now), span.step_seconds());
    let mut noted: BTreeMap<i64, BTreeMap<Uuid, NotedFigures>> = BTreeMap::new();
    for record in records {
        let place = (record.begins_at.as_second() - since.as_second()).div_euclid(step_seconds);
        // What somebody else wrote there is no figure.
        let Ok(figures) = serde_json::from_str::<NotedFigures>(record.figures.get()) else { continue };
        noted.entry(place).or_default().entry(record.supervisor).or_default().then(&figures);
    }
    let step = |place: i64| {
        let of_supervisors = noted.get(&place);
        let mut all = NotedFigures::default();
        for one in of_supervisors.into_iter().flat_map(BTreeMap::values) {
            all.beside(one);
        }
        let begins_at = since + SignedDuration::from_secs(place * step_seconds);
        shown(begins_at, of_supervisors.map_or(0, BTreeMap::len), all)
    };
    HistoryView { span, step_seconds, steps: (0..span.steps()).map(step).collect() }
}

/// How executions ended in what these quarters of an hour hold, but for what these minutes hold.
pub(crate) fn ended_before(quarters: &[FiguresRecord], minutes: &[FiguresRecord]) -> OutcomeCounts {
    let (all, late) = (ended(quarters), ended(minutes));
    OutcomeCounts {
        ended: all.ended.saturating_sub(late.ended),
        failed: all.failed.saturating_sub(late.failed),
        ..OutcomeCounts::default()
    }
}

fn ended(records: &[FiguresRecord]) -> OutcomeCounts {
    let mut counts = OutcomeCounts::default();
    for record in records {
        let Ok(figures) = serde_json::from_str::<NotedFigures>(record.figures.get()) else { continue };
        let of = |status: Status| figures.ended.get(status.as_str()).copied().unwrap_or_default();
        counts.ended += figures.ended.values().sum::<u64>();
        counts.failed += of(Status::Failed) + of(Status::Timeout);
    }
    counts
}

fn shown(begins_at: Timestamp, supervisors: usize, noted: NotedFigures) -> HistoryStep {
    let ended = |status: &str| noted.ended.get(status).copied().unwrap_or_default();
    HistoryStep {
        begins_at,
        supervisors,
        succeeded: ended("SUCCESS"),
        failed: ended("FAILED"),
        timed_out: ended("TIMEOUT"),
        cancelled: ended("CANCELLED"),
        ran_p50_ms: noted.ran.quantile_ms(0.5),
        ran_p95_ms: noted.ran.quantile_ms(0.95),
        waited_p95_ms: noted.waited.quantile_ms(0.95),
        oldest_wait_seconds: noted.oldest_wait_seconds,
        running: noted.running,
        waiting: noted.waiting,
        workers: noted.workers,
        worker_seconds: noted.worked_seconds,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::to_raw_value;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_100 + second).unwrap()
    }

    fn record(supervisor: u128, second: i64, running: u64) -> FiguresRecord {
        let mut noted = NotedFigures { running, ..NotedFigures::default() };
        noted.ended(Status::Success, Some(Duration::from_millis(20)));
        let figures = to_raw_value(&noted).unwrap();
        FiguresRecord { supervisor: Uuid::from_u128(supervisor), minutes: 1, begins_at: at(second), figures }
    }

    #[test]
    fn supervisors_add_up_and_where_nobody_ran_there_is_a_gap() {
        let now = at(3600);
        let records = vec![record(1, 3480, 2), record(2, 3480, 3), record(1, 3540, 1)];
        let view = history(HistorySpan::Hour, now, records);
        assert_eq!((view.steps.len(), view.steps[0].begins_at), (60, at(60)));
        let shown: Vec<_> =
            view.steps[57..].iter().map(|step| (step.supervisors, step.succeeded, step.running)).collect();
        assert_eq!(shown, [(2, 2, 5), (1, 1, 1), (0, 0, 0)]);
        assert!(view.steps[57].ran_p95_ms.is_some_and(|ms| (20.0..25.1).contains(&ms)));
        assert_eq!((view.steps[0].supervisors, view.steps[0].ran_p50_ms), (0, None));
    }

    #[test]
    fn what_ended_before_is_all_but_what_ended_lately() {
        let noted = |second, statuses: &[Status]| {
            let mut noted = NotedFigures::default();
            for status in statuses {
                noted.ended(*status, None);
            }
            FiguresRecord { figures: to_raw_value(&noted).unwrap(), ..record(1, second, 0) }
        };
        let quarters = [
            noted(0, &[Status::Success, Status::Failed, Status::Timeout, Status::Cancelled]),
            noted(900, &[Status::Success, Status::Failed]),
        ];
        let before = ended_before(&quarters, &[noted(960, &[Status::Failed])]);
        assert_eq!((before.ended, before.failed), (5, 2));
        assert_eq!(ended_before(&[], &quarters), OutcomeCounts::default());
    }

    #[test]
    fn a_week_is_made_of_quarters_of_an_hour() {
        let quarters = (0..8).map(|quarter| record(1, quarter * 900, quarter.unsigned_abs())).collect();
        let view = history(HistorySpan::Week, at(7200), quarters);
        let last: Vec<_> = view.steps.iter().filter(|step| step.supervisors > 0).collect();
        assert_eq!(last.iter().map(|step| step.succeeded).sum::<u64>(), 8);
        assert_eq!(last.iter().map(|step| step.running).max(), Some(7), "at its highest");
    }
}
