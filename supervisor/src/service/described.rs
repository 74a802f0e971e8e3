//! What workers described of their workflows, as it is shown.

use muster_protocol::{DeclaredConcurrency, DeclaredRetry, WorkflowDescription};

use crate::api::{BrokenFileView, WorkflowView, WorkflowsView};
use crate::descriptions::Descriptions;

/// All that is in force, by name.
pub(super) fn view_all(descriptions: &Descriptions) -> WorkflowsView {
    let broken = descriptions.broken().into_iter().map(|(file, error)| BrokenFileView {
        file,
        error_type: error.kind,
        error_message: error.message,
    });
    WorkflowsView {
        workflows: descriptions.all().iter().map(|described| view(&described.declared)).collect(),
        broken: broken.collect(),
        defined: Vec::new(),
    }
}

fn view(declared: &WorkflowDescription) -> WorkflowView {
    let WorkflowDescription { name, description, source_file, timeout_ms, retry, parameters, .. } =
        declared.clone();
    let DeclaredRetry {
        max_attempts,
        backoff_ms,
        backoff_factor_percent,
        backoff_max_ms,
        retry_on,
        give_up_on,
    } = retry;
    let DeclaredConcurrency { total, per_key, key, on_full } = declared.concurrency.clone();
    WorkflowView {
        name,
        description,
        source_file,
        timeout_seconds: timeout_ms.map(seconds),
        max_attempts,
        backoff_seconds: backoff_ms.map(seconds),
        backoff_factor: backoff_factor_percent.map(|percent| f64::from(percent) / 100.0),
        backoff_max_seconds: backoff_max_ms.map(seconds),
        retry_on,
        give_up_on,
        max_concurrent: total,
        max_concurrent_per_key: per_key,
        key,
        on_full,
        limits: declared.limits.clone(),
        queue: declared.queue.clone(),
        parameters: parameters.parse().ok().flatten(),
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
