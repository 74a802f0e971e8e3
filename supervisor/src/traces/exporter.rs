//! From an outcome that was announced to its spans at the collector. Nothing waits for it: what comes faster than it can
//! be read and sent is left out, and counted.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use jiff::Timestamp;
use muster_bus::OutcomeListener;
use muster_store::TraceStore;
use muster_system::vital;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::collector::{Collector, CollectorError};
use super::context::TraceContext;
use super::spans::spans_of;
use crate::observe::SupervisorMetrics;

/// So many executions wait for their traces to be sent.
const WAITING_MAX: usize = 10_000;
/// So many are sent at once.
const GROUP_MAX: usize = 200;
/// A collector that does not take spans is asked so often more, for about half a minute.
const TRIES: usize = 6;

/// Hears of outcomes, and has their traces sent.
#[derive(Debug)]
pub(crate) struct Tracer {
    news: mpsc::Sender<TracerMessage>,
    metrics: Arc<SupervisorMetrics>,
}

#[derive(Debug)]
enum TracerMessage {
    /// The outcome of this execution was announced at this moment.
    Announced(Uuid, Timestamp),
    Flush(oneshot::Sender<()>),
}

/// What the exporter works with.
#[derive(Debug)]
struct Exporter {
    store: Arc<dyn TraceStore>,
    collector: Collector,
    ratio: f64,
    metrics: Arc<SupervisorMetrics>,
    /// Whether the last spans were not taken, so that it is told once.
    is_failing: bool,
}

impl Tracer {
    /// Starts the task that sends. Of executions that nobody decided about this part is traced.
    pub(crate) fn start(
        store: Arc<dyn TraceStore>,
        collector: Collector,
        ratio: f64,
        metrics: Arc<SupervisorMetrics>,
    ) -> Arc<Self> {
        let (news, received) = mpsc::channel(WAITING_MAX);
        let exporter = Exporter { store, collector, ratio, metrics: Arc::clone(&metrics), is_failing: false };
        tokio::spawn(vital::serving("traces", exporter.run(received)));
        Arc::new(Self { news, metrics })
    }

    /// Returns when all that was announced so far is sent, or given up.
    pub(crate) async fn finished(&self) {
        let (answer, answered) = oneshot::channel();
        if self.news.send(TracerMessage::Flush(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

impl OutcomeListener for Tracer {
    fn announced(&self, ids: &mut dyn Iterator<Item = Uuid>) {
        let now = Timestamp::now();
        let left_out =
            ids.filter(|id| self.news.try_send(TracerMessage::Announced(*id, now)).is_err()).count();
        self.metrics.traces_dropped(left_out);
    }
}

impl Exporter {
    async fn run(mut self, mut news: mpsc::Receiver<TracerMessage>) {
        let mut received = Vec::new();
        while news.recv_many(&mut received, GROUP_MAX).await > 0 {
            let (mut announced, mut flushes) = (Vec::new(), Vec::new());
            for message in received.drain(..) {
                match message {
                    TracerMessage::Announced(id, at) => announced.push((id, at)),
                    TracerMessage::Flush(answer) => flushes.push(answer),
                }
            }
            self.export(&announced).await;
            for flush in flushes {
                let _ = flush.send(());
            }
        }
    }

    async fn export(&mut self, announced: &[(Uuid, Timestamp)]) {
        let ids: Vec<Uuid> = announced.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return;
        }
        let executions = match self.store.traced(&ids).await {
            Ok(executions) => executions,
            Err(error) => {
                tracing::debug!(%error, "executions cannot be read for their traces");
                return self.metrics.traces_dropped(ids.len());
            }
        };
        let mut spans = Vec::new();
        let mut count = 0;
        for execution in &executions {
            let context = TraceContext::of(execution.id, execution.traceparent.as_deref());
            let at = announced.iter().find(|(id, _)| *id == execution.id).map(|(_, at)| *at);
            if let Some(at) = at.filter(|_| execution.status.is_terminal() && context.is_recorded(self.ratio))
            {
                spans.extend(spans_of(execution, at));
                count += 1;
            }
        }
        if count > 0 {
            self.send(spans, count).await;
        }
    }

    /// Sends the spans of so many executions; tries again while the collector may take them later.
    async fn send(&mut self, spans: Vec<Span>, count: usize) {
        let collector = &self.collector;
        let attempt = || {
            let (collector, spans) = (collector.clone(), spans.clone());
            async move {
                let sent = tokio::task::spawn_blocking(move || collector.send(spans)).await;
                sent.unwrap_or_else(|error| Err(CollectorError::Refused(error.to_string())))
            }
        };
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(TRIES)
            .with_jitter();
        // One that was away the last time is not waited for again: what comes meanwhile would be left out, too.
        let sent = if self.is_failing {
            attempt().await
        } else {
            attempt.retry(waits).when(|error| matches!(error, CollectorError::Busy(_))).await
        };
        match sent {
            Ok(left_out) => {
                if self.is_failing {
                    tracing::info!("the collector takes traces again");
                }
                self.is_failing = false;
                self.metrics.traces_sent(count);
                if let Some(left_out) = left_out {
                    tracing::warn!(left_out, "the collector did not take all spans");
                }
            }
            Err(error) => {
                if !self.is_failing {
                    tracing::warn!(%error, "traces are not taken by the collector; they are left out until it takes them");
                }
                self.is_failing = true;
                self.metrics.traces_dropped(count);
            }
        }
    }
}
