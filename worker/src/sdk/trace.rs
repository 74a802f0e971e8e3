//! `tracing` events of Rust workflows, and of the libraries they use, in the log of the run.
//!
//! A process has one run at a time, so an event of any thread belongs to it. Outside of runs events are
//! dropped: nobody reads them.

use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use muster_protocol::{JsonBytes, LogLevel};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::run::WorkerRun;

static CURRENT: RwLock<Weak<WorkerRun>> = RwLock::new(Weak::new());

/// Sends events to the run's log, unless the program has a subscriber of its own.
pub(crate) fn install() {
    // A program that installed its own subscriber knows better.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(RunLog));
}

/// Makes this the run that events belong to.
pub(crate) fn enter(run: &Arc<WorkerRun>) {
    *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(run);
}

struct RunLog;

impl<S: Subscriber> Layer<S> for RunLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner).upgrade();
        let Some(run) = current else { return };
        let level = level(*event.metadata().level());
        if !run.wants(level) {
            return;
        }
        let mut parts = TraceFields::default();
        event.record(&mut parts);
        let fields = if parts.fields.is_empty() { JsonBytes::NONE } else { JsonBytes::of(&parts.fields) };
        run.log(level, event.metadata().target(), &parts.message, fields);
    }
}

fn level(level: tracing::Level) -> LogLevel {
    match level {
        tracing::Level::TRACE => LogLevel::Trace,
        tracing::Level::DEBUG => LogLevel::Debug,
        tracing::Level::INFO => LogLevel::Info,
        tracing::Level::WARN => LogLevel::Warn,
        tracing::Level::ERROR => LogLevel::Error,
    }
}

#[derive(Default)]
struct TraceFields {
    message: String,
    fields: Map<String, Value>,
}

impl TraceFields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for TraceFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no such numbers as NaN, and null would hide which it was.
        self.put(field, if value.is_finite() { value.into() } else { value.to_string().into() });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
