//! The spans of one execution, from its record. Pure.
//!
//! ```text
//! billing/invoice                     from the submit, or the publishing of its message, until the outcome is announced
//! ├─ wait                             for its moment, its limits, a worker's turn
//! ├─ attempt 1
//! │  ├─ prepare                       configuration is fetched, a worker is given
//! │  └─ run                           the workflow's own code; what the worker traces is below it
//! ├─ wait
//! ├─ attempt 2                        links to attempt 1
//! └─ commit                           the outcome is written and announced
//! ```

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::{EventRow, TracedExecution};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{Span, Status as SpanStatus, status::StatusCode};
use serde::Deserialize;

use super::attributes::{number, text};
use super::context::{SpanId, TraceContext, span_id};

/// What of an event's details a trace shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShownDetail {
    worker: Option<String>,
    reason: Option<String>,
}

/// An attempt that has begun and not ended, as far as the events were read.
#[derive(Debug)]
struct OpenAttempt {
    number: u32,
    claimed_at: Timestamp,
    started_at: Option<Timestamp>,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
}

/// Puts the spans of one execution together.
struct SpanBuilder<'a> {
    execution: &'a TracedExecution,
    context: TraceContext,
    spans: Vec<Span>,
    /// Since when it waits for an attempt.
    waits_since: Timestamp,
    open: Option<OpenAttempt>,
    /// What happened outside of any attempt.
    events: Vec<Event>,
}

/// All the spans of an execution that is over, and whose outcome was announced at that moment.
pub(crate) fn spans_of(execution: &TracedExecution, announced_at: Timestamp) -> Vec<Span> {
    let mut builder = SpanBuilder {
        execution,
        context: TraceContext::of(execution.id, execution.traceparent.as_deref()),
        spans: Vec::new(),
        waits_since: asked_at(execution),
        open: None,
        events: Vec::new(),
    };
    for event in &execution.events {
        builder.take(event);
    }
    builder.finish(announced_at)
}

impl SpanBuilder<'_> {
    fn take(&mut self, event: &EventRow) {
        let detail = event.detail.as_ref().and_then(|detail| serde_json::from_str(detail.get()).ok());
        let ShownDetail { worker, reason } = detail.unwrap_or_default();
        match event.event.as_str() {
            "claimed" => self.claimed(event),
            "started" => {
                if let Some(open) = &mut self.open {
                    open.started_at = Some(event.at);
                    open.attributes.extend(worker.map(|worker| text("muster.worker", worker)));
                }
            }
            "retried" | "released" => self.end_attempt(event.at, Some(reason.unwrap_or_default())),
            "finalized" => {
                let failure = match self.execution.status {
                    Status::Success | Status::Pending | Status::Running => None,
                    Status::Failed | Status::Timeout | Status::Cancelled => Some(self.failure()),
                };
                self.end_attempt(event.at, failure);
            }
            _ => self.note(event, reason),
        }
    }

    /// Whatever else happened, by its name.
    fn note(&mut self, event: &EventRow, reason: Option<String>) {
        let noted = Event {
            time_unix_nano: nanos(event.at),
            name: event.event.clone(),
            attributes: reason.map(|reason| text("muster.reason", reason)).into_iter().collect(),
            ..Event::default()
        };
        let open = self.open.as_mut().filter(|open| open.number == event.attempt);
        open.map_or(&mut self.events, |open| &mut open.events).push(noted);
    }

    fn claimed(&mut self, event: &EventRow) {
        if self.open.is_some() {
            self.end_attempt(event.at, Some("its supervisor was lost".to_owned()));
        }
        self.wait_until(event.at, event.attempt);
        self.open = Some(OpenAttempt {
            number: event.attempt,
            claimed_at: event.at,
            started_at: None,
            attributes: event.supervisor.map(|id| text("muster.supervisor", id)).into_iter().collect(),
            events: Vec::new(),
        });
    }

    fn wait_until(&mut self, end: Timestamp, attempt: u32) {
        let parent = self.id(0, "execution");
        let wait = self.span((attempt, "wait"), parent, (self.waits_since, end));
        self.spans.push(wait);
    }

    /// The attempt is over: what of it there was becomes spans.
    fn end_attempt(&mut self, end: Timestamp, failure: Option<String>) {
        let Some(open) = self.open.take() else { return };
        self.waits_since = end;
        let (number, own) = (open.number, self.id(open.number, "attempt"));
        let mut parts =
            vec![self.span((number, "prepare"), own, (open.claimed_at, open.started_at.unwrap_or(end)))];
        parts.extend(open.started_at.map(|started| self.span((number, "run"), own, (started, end))));
        if let (Some(last), Some(failure)) = (parts.last_mut(), &failure) {
            last.status = Some(failed(failure.clone()));
        }
        let mut attempt = self.span((number, "attempt"), self.id(0, "execution"), (open.claimed_at, end));
        attempt.name = format!("attempt {number}");
        attempt.attributes = open.attributes;
        attempt.attributes.push(self::number("muster.attempt", number));
        attempt.events = open.events;
        attempt.status = failure.map(failed);
        if number > 1 {
            attempt.links.push(self.link(self.context.trace_id, self.id(number - 1, "attempt")));
        }
        self.spans.push(attempt);
        self.spans.append(&mut parts);
    }

    fn finish(mut self, announced_at: Timestamp) -> Vec<Span> {
        let execution = self.execution;
        let ended_at = execution.completed_at.unwrap_or(announced_at);
        if let Some(open) = &self.open {
            let since = open.claimed_at;
            self.end_attempt(ended_at.max(since), Some(self.failure()));
        }
        let root = self.id(0, "execution");
        if self.spans.is_empty() {
            self.wait_until(ended_at, 1);
        } else {
            let commit = self.span((0, "commit"), root, (ended_at, announced_at));
            self.spans.push(commit);
        }
        let mut whole = self.span((0, "execution"), SpanId::default(), (asked_at(execution), announced_at));
        whole.parent_span_id = self.context.parent.map(|parent| parent.to_vec()).unwrap_or_default();
        whole.name = execution.workflow_name.clone().unwrap_or_else(|| "execution".to_owned());
        whole.kind = SpanKind::Consumer.into();
        whole.attributes = self.attributes();
        whole.events = std::mem::take(&mut self.events);
        whole.status = match execution.status {
            Status::Success => Some(SpanStatus { code: StatusCode::Ok.into(), ..SpanStatus::default() }),
            Status::Failed | Status::Timeout | Status::Cancelled => Some(failed(self.failure())),
            Status::Pending | Status::Running => None,
        };
        whole.links.extend(execution.retry_of.map(|first| {
            // What repeats another was submitted with the same context, if it had one.
            let trace = TraceContext::of(first, execution.traceparent.as_deref()).trace_id;
            self.link(trace, span_id(first, 0, "execution"))
        }));
        self.spans.insert(0, whole);
        self.spans
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let execution = self.execution;
        let mut attributes = vec![
            text("messaging.system", "muster"),
            text("messaging.operation.type", "process"),
            text("messaging.message.id", execution.id),
            text("muster.execution_id", execution.id),
            text("muster.status", execution.status.as_str()),
        ];
        let optional = [
            ("messaging.destination.name", execution.queue.clone()),
            ("muster.workflow", execution.workflow_name.clone()),
            ("muster.organization_id", execution.organization_id.map(|id| id.to_string())),
            ("error.type", execution.error_type.clone()),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some(text(name, value?))));
        attributes
    }

    fn failure(&self) -> String {
        let TracedExecution { error_type, error_message, .. } = self.execution;
        let parts = [error_type.as_deref(), error_message.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }

    fn id(&self, attempt: u32, part: &str) -> SpanId {
        span_id(self.execution.id, attempt, part)
    }

    fn link(&self, trace_id: [u8; 16], span: SpanId) -> Link {
        Link { trace_id: trace_id.to_vec(), span_id: span.to_vec(), ..Link::default() }
    }

    /// A part of an attempt, named by what it is. Clocks of two machines may disagree: no span ends before it begins.
    fn span(
        &self,
        (attempt, part): (u32, &str),
        parent: SpanId,
        (start, end): (Timestamp, Timestamp),
    ) -> Span {
        Span {
            trace_id: self.context.trace_id.to_vec(),
            span_id: self.id(attempt, part).to_vec(),
            parent_span_id: parent.to_vec(),
            name: part.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: nanos(start),
            end_time_unix_nano: nanos(end.max(start)),
            ..Span::default()
        }
    }
}

/// Since when it waits: since its message was published, if that says so.
fn asked_at(execution: &TracedExecution) -> Timestamp {
    execution.published_at.unwrap_or(execution.created_at)
}

fn failed(message: String) -> SpanStatus {
    SpanStatus { code: StatusCode::Error.into(), message }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}
