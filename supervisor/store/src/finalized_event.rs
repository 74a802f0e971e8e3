//! The event that ends an execution. Of a plain run, to which nothing happened but that it started, it says that too: one
//! row instead of two. Whoever reads events sees two.

use std::borrow::Cow;

use jiff::Timestamp;
use muster_core::execution::Status;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::finalization::{ExecutionOutcome, NewEvent};
use super::record::EventRow;
use super::text::{storable, storable_json};

/// What a row with the event `finalized` says, as JSON.
#[derive(Serialize, Deserialize)]
struct FinalizedDetail<'a> {
    status: Status,
    #[serde(borrow)]
    error_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<StartedDetail>,
}

/// The event `started` within it.
#[derive(Serialize, Deserialize)]
struct StartedDetail {
    at: Timestamp,
    detail: Option<Box<RawValue>>,
}

/// The detail of the event `finalized`.
pub(crate) fn finalized_detail(outcome: &ExecutionOutcome) -> Cow<'static, str> {
    detail(outcome, None)
}

/// The detail of the event `finalized` of an attempt to which this happened, if that can be said in it.
pub(crate) fn finalized_detail_with(
    outcome: &ExecutionOutcome,
    before: &[NewEvent],
) -> Option<Cow<'static, str>> {
    let [NewEvent { at, event, detail: of_started }] = before else { return None };
    let of_started = of_started.as_deref().map(storable_json).map(Cow::into_owned);
    let started = StartedDetail { at: *at, detail: of_started.map(RawValue::from_string).transpose().ok()? };
    (event == "started").then(|| detail(outcome, Some(started)))
}

fn detail(outcome: &ExecutionOutcome, started: Option<StartedDetail>) -> Cow<'static, str> {
    let error_type = outcome.failure().map(|failure| storable(&failure.error_type));
    let detail = FinalizedDetail { status: outcome.status(), error_type, started };
    serde_json::to_string(&detail).unwrap_or_default().into()
}

/// The events that rows say.
pub(crate) fn unfolded(rows: Vec<EventRow>) -> Vec<EventRow> {
    let mut events = Vec::with_capacity(rows.len() + 1);
    for mut row in rows {
        events.extend(take_started(&mut row));
        events.push(row);
    }
    events
}

/// Takes the event `started` out of a row.
fn take_started(row: &mut EventRow) -> Option<EventRow> {
    let text = row.detail.as_ref().filter(|_| row.event == "finalized")?.get();
    let mut detail: FinalizedDetail<'_> = serde_json::from_str(text).ok()?;
    let StartedDetail { at, detail: of_started } = detail.started.take()?;
    let rest = serde_json::value::to_raw_value(&detail).ok()?;
    row.detail = Some(rest);
    Some(EventRow { at, event: "started".to_owned(), detail: of_started, ..row.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str, detail: Option<&str>) -> EventRow {
        EventRow {
            at: Timestamp::UNIX_EPOCH,
            event: event.to_owned(),
            attempt: 2,
            supervisor: None,
            detail: detail.map(|detail| RawValue::from_string(detail.to_owned()).unwrap()),
        }
    }

    fn texts(rows: Vec<EventRow>) -> Vec<String> {
        let text = |row: EventRow| {
            format!(
                "{} {} {}",
                row.at,
                row.event,
                row.detail.map_or_else(String::new, |it| it.get().to_owned())
            )
        };
        unfolded(rows).into_iter().map(text).collect()
    }

    #[test]
    fn the_start_of_a_plain_run_is_in_the_row_of_its_end_and_read_before_it() {
        let at: Timestamp = "2026-01-02T03:04:05.000006Z".parse().unwrap();
        let worker = RawValue::from_string(r#"{"worker":"worker-1"}"#.to_owned()).unwrap();
        let started = NewEvent { at, event: "started".to_owned(), detail: Some(worker) };
        let outcome = ExecutionOutcome::Success { result: RawValue::NULL.to_owned() };
        let detail = finalized_detail_with(&outcome, &[started]).unwrap();
        assert_eq!(
            texts(vec![row("claimed", None), row("finalized", Some(&detail))]),
            [
                "1970-01-01T00:00:00Z claimed ".to_owned(),
                r#"2026-01-02T03:04:05.000006Z started {"worker":"worker-1"}"#.to_owned(),
                r#"1970-01-01T00:00:00Z finalized {"status":"SUCCESS","error_type":null}"#.to_owned(),
            ]
        );
    }

    #[test]
    fn where_more_happened_or_nothing_each_event_is_a_row() {
        let outcome = ExecutionOutcome::Success { result: RawValue::NULL.to_owned() };
        let event = |name: &str| NewEvent::new(Timestamp::UNIX_EPOCH, name);
        assert!(finalized_detail_with(&outcome, &[]).is_none());
        assert!(finalized_detail_with(&outcome, &[event("worker_died")]).is_none());
        assert!(finalized_detail_with(&outcome, &[event("started"), event("killed")]).is_none());
        let plain = finalized_detail(&outcome);
        let rows = vec![
            row("started", None),
            row("finalized", Some(&plain)),
            row("finalized", Some("[1]")),
            row("lost", None),
        ];
        assert_eq!(unfolded(rows).len(), 4);
    }
}
