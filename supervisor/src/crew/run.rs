//! What the shell holds of one attempt from its submission to its end.

use std::time::Duration;

use muster_protocol::CallResult;
use serde_json::value::RawValue;

use super::clock::unix_us;
use super::logs::RunLogs;
use super::observer::{Completed, RunEvent};
use super::order::Order;
use crate::execution::Change;
use crate::pool::Finish;

/// One attempt in the crew's hands.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) order: Order,
    pub(super) logs: RunLogs,
    pub(super) changes: Vec<Change>,
    pub(super) calls_in_flight: usize,
    started_at_us: Option<i64>,
    events: Vec<RunEvent>,
}

impl Run {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            logs: RunLogs::default(),
            changes: Vec::new(),
            calls_in_flight: 0,
            started_at_us: None,
            events: Vec::new(),
        }
    }

    /// User code is entered. What was needed only to hand the attempt to another worker is let go.
    pub(super) fn started(&mut self, at_us: i64, worker: impl std::fmt::Display) {
        self.started_at_us = Some(at_us);
        self.order.params = muster_protocol::JsonBytes::NONE;
        self.order.context = muster_protocol::JsonBytes::NONE;
        self.note_at(at_us, "started", Some(serde_json::json!({ "worker": worker.to_string() })));
    }

    /// Remembers a step on the way.
    pub(super) fn note(&mut self, event: &'static str, detail: serde_json::Value) {
        self.note_at(unix_us(), event, Some(detail));
    }

    fn note_at(&mut self, at_us: i64, event: &'static str, detail: Option<serde_json::Value>) {
        let detail = detail.and_then(|value| RawValue::from_string(value.to_string()).ok());
        self.events.push(RunEvent { at_us, event, detail });
    }

    /// The end.
    pub(super) fn complete(mut self, finish: Finish) -> Completed {
        Completed {
            started_at_us: self.started_at_us,
            finished_at_us: self.finished_at(finish.duration),
            logs: self.logs.take(),
            changes: self.changes,
            events: self.events,
            finish,
        }
    }

    /// A started run ended its duration after its start; one that never started ends now.
    fn finished_at(&self, duration: Option<Duration>) -> i64 {
        match (self.started_at_us, duration) {
            (Some(started), Some(duration)) => {
                started.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
            }
            (Some(_) | None, _) => unix_us(),
        }
    }
}

/// What a call leads to.
#[derive(Debug)]
pub(super) enum Answer {
    /// The reply is known.
    Now(CallResult),
    /// The reply is known, and the last of the run's changes is new.
    Changed(CallResult),
    /// The committed state must be read first.
    ReadState {
        /// Which key.
        key: String,
    },
}
