//! The spans of executions, from records as the stores give them.

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::{EventRow, TracedExecution};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::context::span_id;
use super::spans::spans_of;

const ID: Uuid = Uuid::from_u128(7);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
}

fn event(ms: i64, event: &str, attempt: u32, detail: &str) -> EventRow {
    let detail = (!detail.is_empty()).then(|| RawValue::from_string(detail.to_owned()).unwrap());
    EventRow { at: at(ms), event: event.to_owned(), attempt, supervisor: Some(Uuid::from_u128(1)), detail }
}

fn execution(status: Status, events: Vec<EventRow>) -> TracedExecution {
    TracedExecution {
        id: ID,
        workflow_name: Some("invoice".to_owned()),
        organization_id: None,
        queue: Some("default".to_owned()),
        status,
        error_type: None,
        error_message: None,
        retry_of: None,
        traceparent: None,
        created_at: at(0),
        published_at: None,
        completed_at: events.iter().find(|event| event.event == "finalized").map(|event| event.at),
        events,
    }
}

/// Each span as its name, its parent's, and from when to when, in milliseconds.
fn shown(spans: &[Span]) -> Vec<String> {
    let name = |id: &[u8]| spans.iter().find(|span| span.span_id == id).map_or("", |span| span.name.as_str());
    let ms = |nanos: u64| nanos / 1_000_000 - 1_700_000_000_000;
    let span = |span: &Span| {
        let (start, end) = (ms(span.start_time_unix_nano), ms(span.end_time_unix_nano));
        let failed = span.status.as_ref().filter(|status| status.code == 2);
        let failed = failed.map(|status| format!(" failed: {}", status.message)).unwrap_or_default();
        format!("{} < {} {start}..{end}{failed}", span.name, name(&span.parent_span_id))
    };
    spans.iter().map(span).collect()
}

#[test]
fn a_run_is_waited_for_prepared_run_and_committed() {
    let events = vec![
        event(10, "claimed", 1, ""),
        event(12, "started", 1, r#"{"worker":"worker-3"}"#),
        event(40, "finalized", 1, r#"{"status":"SUCCESS"}"#),
    ];
    let spans = spans_of(&execution(Status::Success, events), at(45));
    assert_eq!(
        shown(&spans),
        [
            "invoice <  0..45",
            "wait < invoice 0..10",
            "attempt 1 < invoice 10..40",
            "prepare < attempt 1 10..12",
            "run < attempt 1 12..40",
            "commit < invoice 40..45",
        ]
    );
    assert!(
        spans.iter().all(|span| span.trace_id == ID.as_bytes()),
        "the execution's id is that of the trace"
    );
    assert_eq!(spans[4].span_id, span_id(ID, 1, "run"), "what the worker was told");
}

#[test]
fn attempts_link_to_the_one_before_and_a_lost_one_ends_where_the_next_begins() {
    let events = vec![
        event(10, "claimed", 1, ""),
        event(12, "started", 1, ""),
        event(20, "retried", 1, r#"{"reason":"Error: no"}"#),
        event(50, "claimed", 2, ""),
        event(51, "started", 2, ""),
        event(90, "claimed", 3, ""),
        event(95, "killed", 3, r#"{"reason":"too late"}"#),
        event(99, "finalized", 3, ""),
    ];
    let mut failed = execution(Status::Timeout, events);
    (failed.error_type, failed.error_message) = (Some("Timeout".to_owned()), Some("after 5 s".to_owned()));
    let spans = spans_of(&failed, at(100));
    assert_eq!(
        shown(&spans),
        [
            "invoice <  0..100 failed: Timeout: after 5 s",
            "wait < invoice 0..10",
            "attempt 1 < invoice 10..20 failed: Error: no",
            "prepare < attempt 1 10..12",
            "run < attempt 1 12..20 failed: Error: no",
            "wait < invoice 20..50",
            "attempt 2 < invoice 50..90 failed: its supervisor was lost",
            "prepare < attempt 2 50..51",
            "run < attempt 2 51..90 failed: its supervisor was lost",
            "wait < invoice 90..90",
            "attempt 3 < invoice 90..99 failed: Timeout: after 5 s",
            "prepare < attempt 3 90..99 failed: Timeout: after 5 s",
            "commit < invoice 99..100",
        ]
    );
    let links: Vec<_> = spans.iter().flat_map(|span| &span.links).map(|link| link.span_id.clone()).collect();
    assert_eq!(links, [span_id(ID, 1, "attempt"), span_id(ID, 2, "attempt")]);
    assert_eq!(spans[10].events[0].name, "killed");
}

#[test]
fn what_a_message_brought_waits_since_it_was_published() {
    let events = vec![event(10, "claimed", 1, ""), event(40, "finalized", 1, r#"{"status":"SUCCESS"}"#)];
    let published = TracedExecution { published_at: Some(at(-500)), ..execution(Status::Success, events) };
    let spans = spans_of(&TracedExecution { created_at: at(9), ..published }, at(45));
    let began =
        |name: &str| spans.iter().find(|span| span.name == name).map(|span| span.start_time_unix_nano);
    let nanos = u64::try_from(at(-500).as_nanosecond()).ok();
    assert_eq!((began("invoice"), began("wait")), (nanos, nanos));
}

#[test]
fn what_never_ran_only_waited_and_a_trace_of_somebody_elses_goes_on() {
    let mut cancelled = execution(Status::Cancelled, vec![event(30, "finalized", 0, "")]);
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    (cancelled.traceparent, cancelled.retry_of) = (Some(given.to_owned()), Some(Uuid::from_u128(6)));
    let spans = spans_of(&cancelled, at(31));
    assert_eq!(shown(&spans), ["invoice <  0..31 failed: ", "wait < invoice 0..30"]);
    assert_eq!(spans[0].parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(spans[0].links[0].trace_id, spans[0].trace_id, "both were submitted in one trace");
}

#[test]
fn no_span_ends_before_it_begins() {
    let events = vec![event(10, "claimed", 1, ""), event(8, "started", 1, ""), event(9, "finalized", 1, "")];
    for span in spans_of(&execution(Status::Success, events), at(7)) {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
    }
}
