//! Traces of executions for OpenTelemetry: one for each, made of its record when its outcome is announced, and sent to a
//! collector over OTLP. Whoever submits an execution may have it in a trace of theirs (`traceparent`), and a worker is told
//! the span of its run, so that what the workflow traces is below it.
//!
//! Not here: the process's own logs and metrics (`observe`), and what is recorded of an execution (the store).

mod attributes;
mod collector;
mod context;
mod exporter;
mod spans;
#[cfg(test)]
mod tests;

pub(crate) use collector::Collector;
pub(crate) use context::traceparent_of_run;
pub(crate) use exporter::Tracer;
