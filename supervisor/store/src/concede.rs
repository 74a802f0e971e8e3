//! What is given up, and in which order, when the database refuses the outcome of an attempt: first what only helps to
//! understand it, last what it is about. How it ended stays: a timeout is a timeout, and what goes back goes back.

use muster_core::execution::{LogLine, LogStream};

use super::finalization::{Disposition, ExecutionFailure, ExecutionOutcome, Finalization, NewEvent};

/// The same outcome, with less each time. Text is clean already: see [`super::text`].
pub(crate) fn concessions(refused: &Finalization, reason: &str) -> Vec<Finalization> {
    let reason = plain(reason);
    let mut lesser = Vec::with_capacity(3);
    let has_fields = refused.logs.iter().any(|line| line.fields.is_some());
    let has_details = refused.events.iter().any(|event| event.detail.is_some());
    if has_fields || has_details || refused.metrics.is_some() || refused.end_cause.is_some() {
        lesser.push(without_fields(refused, &reason));
    }
    if !refused.logs.is_empty() {
        lesser.push(without_log(refused, &reason));
    }
    lesser.push(bare(refused, &reason));
    lesser
}

fn without_fields(refused: &Finalization, reason: &str) -> Finalization {
    let mut logs: Vec<LogLine> =
        refused.logs.iter().cloned().map(|line| LogLine { fields: None, ..line }).collect();
    if let Some(last) = logs.last() {
        let message = format!("the fields of this log could not be stored: {reason}");
        logs.push(record(refused, last.sequence + 1, message));
    }
    let events = refused.events.iter().cloned().map(|event| NewEvent { detail: None, ..event });
    Finalization { logs, metrics: None, end_cause: None, events: events.collect(), ..refused.clone() }
}

fn without_log(refused: &Finalization, reason: &str) -> Finalization {
    let message = format!("the {} lines of this log could not be stored: {reason}", refused.logs.len());
    Finalization { logs: vec![record(refused, 1, message)], ..without_fields(refused, reason) }
}

/// Only how it ended. A success whose result, writes or children are refused is none.
fn bare(refused: &Finalization, reason: &str) -> Finalization {
    let disposition = match &refused.disposition {
        Disposition::Terminal(ExecutionOutcome::Success { .. }) => {
            let message = format!("the database refused what the run returned, wrote or submitted: {reason}");
            Disposition::Terminal(ExecutionOutcome::Failed(ExecutionFailure::new(
                "ResultNotStorable",
                message,
            )))
        }
        Disposition::Terminal(ExecutionOutcome::Failed(failure)) => {
            Disposition::Terminal(ExecutionOutcome::Failed(plain_failure(failure)))
        }
        Disposition::Terminal(ExecutionOutcome::TimedOut(failure)) => {
            Disposition::Terminal(ExecutionOutcome::TimedOut(plain_failure(failure)))
        }
        Disposition::Terminal(ExecutionOutcome::Cancelled(failure)) => {
            Disposition::Terminal(ExecutionOutcome::Cancelled(plain_failure(failure)))
        }
        Disposition::Retry { failure, delay, max_attempts } => {
            Disposition::Retry { failure: plain_failure(failure), delay: *delay, max_attempts: *max_attempts }
        }
        Disposition::UnknownHere { failure, delay } => {
            Disposition::UnknownHere { failure: plain_failure(failure), delay: *delay }
        }
        Disposition::Release { reason, delay, charged } => {
            Disposition::Release { reason: plain(reason), delay: *delay, charged: *charged }
        }
    };
    let asked = refused.changes.len() + refused.children.len();
    let message = match asked {
        0 => format!("the log of this attempt could not be stored: {reason}"),
        _ => format!(
            "the log of this attempt, and the {asked} changes and executions it asked for, could not be stored: {reason}"
        ),
    };
    Finalization {
        disposition,
        logs: vec![record(refused, 1, message)],
        changes: Vec::new(),
        children: Vec::new(),
        events: Vec::new(),
        ..without_fields(refused, reason)
    }
}

fn record(refused: &Finalization, sequence: u64, message: String) -> LogLine {
    LogLine {
        sequence,
        at_us: refused.completed_at.as_microsecond(),
        level: "warn".into(),
        stream: LogStream::Log,
        logger: "muster".to_owned(),
        message,
        fields: None,
    }
}

fn plain_failure(failure: &ExecutionFailure) -> ExecutionFailure {
    ExecutionFailure {
        error_type: plain(&failure.error_type),
        message: plain(&failure.message),
        stack: failure.stack.as_deref().map(plain),
    }
}

/// Text of characters that every database has.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_ascii() { char } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use muster_core::execution::Attempt;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::{StateChange, StateWrite};

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn end(disposition: Disposition) -> Finalization {
        let line = |sequence| LogLine {
            sequence,
            at_us: 1,
            level: "info".into(),
            stream: LogStream::Log,
            logger: String::new(),
            message: "printed".to_owned(),
            fields: Some(raw("{}")),
        };
        let write = StateWrite::Set(RawValue::NULL.to_owned());
        Finalization {
            attempt: Attempt::new(Uuid::nil(), 1),
            owner: Uuid::nil(),
            disposition,
            started_at: None,
            completed_at: Timestamp::UNIX_EPOCH,
            duration_ms: None,
            metrics: None,
            end_cause: None,
            logs: vec![line(1), line(2)],
            changes: vec![StateChange { organization_id: None, key: "k".to_owned(), write }],
            children: Vec::new(),
            events: vec![NewEvent::new(Timestamp::UNIX_EPOCH, "started")],
        }
    }

    fn kind(end: &Finalization) -> String {
        let kind = match &end.disposition {
            Disposition::Terminal(outcome) => {
                let failure = outcome.failure().map_or("", |failure| failure.error_type.as_str());
                format!("{} {failure}", outcome.status())
            }
            Disposition::Retry { .. } => "retry".to_owned(),
            Disposition::Release { .. } => "release".to_owned(),
            Disposition::UnknownHere { .. } => "unknown here".to_owned(),
        };
        let fields = end.logs.iter().filter(|line| line.fields.is_some()).count();
        format!("{kind}: {} lines, {fields} fields, {} changes", end.logs.len(), end.changes.len())
    }

    #[test]
    fn fields_go_first_then_the_log_and_the_result_last() {
        let success = end(Disposition::Terminal(ExecutionOutcome::Success { result: raw("1") }));
        assert_eq!(
            concessions(&success, "no").iter().map(kind).collect::<Vec<_>>(),
            [
                "SUCCESS : 3 lines, 0 fields, 1 changes",
                "SUCCESS : 1 lines, 0 fields, 1 changes",
                "FAILED ResultNotStorable: 1 lines, 0 fields, 0 changes",
            ]
        );
        let quiet = Finalization { logs: Vec::new(), ..success };
        assert_eq!(
            concessions(&quiet, "no").iter().map(kind).collect::<Vec<_>>(),
            ["FAILED ResultNotStorable: 1 lines, 0 fields, 0 changes",]
        );
    }

    #[test]
    fn how_it_ended_stays() {
        let failure = || ExecutionFailure::new("Näme", "zu spät \u{1f600}");
        for (disposition, last) in [
            (Disposition::Terminal(ExecutionOutcome::TimedOut(failure())), "TIMEOUT N?me"),
            (Disposition::Terminal(ExecutionOutcome::Cancelled(failure())), "CANCELLED N?me"),
            (Disposition::Terminal(ExecutionOutcome::Failed(failure())), "FAILED N?me"),
            (Disposition::Retry { failure: failure(), delay: Duration::ZERO, max_attempts: 2 }, "retry"),
            (
                Disposition::Release { reason: "weg".to_owned(), delay: Duration::ZERO, charged: false },
                "release",
            ),
        ] {
            let lesser = concessions(&end(disposition), "nö");
            let bare = lesser.last().unwrap();
            assert!(kind(bare).starts_with(&format!("{last}:")), "{}", kind(bare));
            assert!(bare.logs[0].message.ends_with("could not be stored: n?"), "{:?}", bare.logs);
        }
    }
}
