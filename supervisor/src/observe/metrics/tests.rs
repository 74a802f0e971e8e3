//! What is counted, as it is told.

use super::*;
use crate::api::{QueueView, ReadinessPart};
use muster_core::execution::MemoryJudge;

#[test]
fn what_happened_and_what_is_are_both_in_the_text() {
    let metrics = SupervisorMetrics::new();
    metrics.finished("hello", Status::Success, None, Some(Duration::from_millis(3)));
    metrics.finished("hello", Status::Failed, Some("KeyError"), None);
    metrics.worker_died(EndKind::OutOfMemory { who: MemoryJudge::Kernel });
    metrics.committed(2, Duration::from_millis(1));
    metrics.started(Duration::from_micros(300));
    metrics.worker_ready(WorkerOrigin::Fork, Duration::from_millis(4));
    metrics.template_failed();
    metrics.answered("GET", Some("/api/executions/{id}"), 404, Duration::from_millis(3));
    for made_up in ["GET", "BREW"] {
        metrics.answered(made_up, None, 404, Duration::ZERO);
    }
    let mut pool = crate::api::tests::pool();
    pool.pending = None;
    let waits = QueueView { waiting: 7, oldest_wait_seconds: 2.5, ..QueueView::default() };
    pool.queues = vec![QueueView { queue: "q".into(), ..waits }];
    for number in 0..=ORGANIZATIONS_MAX as u128 {
        metrics.worked(Some(Uuid::from_u128(number)), Duration::from_millis(1500));
    }
    metrics.worked(None, Duration::from_millis(250));
    let queue = crate::api::BrokerQueueView { queue: "q".into(), ready: Some(260), dead: None };
    pool.broker = Some(crate::api::BrokerView { queues: vec![queue] });
    let part = ReadinessPart { part: "store".into(), ready: false, detail: String::new() };
    let text = metrics.encode(&pool, &Readiness::of(vec![part]), &BusHealth::default(), Unwritten::default());
    for line in [
        "muster_executions_finished_total{status=\"SUCCESS\"} 1",
        "muster_workflow_executions_finished_total{workflow=\"hello\",status=\"FAILED\"} 1",
        concat!("muster_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "muster_dead_letters_total 0",
        "muster_http_requests_total{method=\"GET\",route=\"/api/executions/{id}\",status=\"404\"} 1",
        "muster_http_requests_total{method=\"(any)\",route=\"(none)\",status=\"404\"} 2",
        "muster_http_request_seconds_bucket{le=\"0.005\"} 3",
        "muster_executions_finished_total{status=\"TIMEOUT\"} 0",
        "muster_worker_deaths_total{cause=\"out_of_memory\"} 1",
        "muster_worker_deaths_total{cause=\"vanished\"} 0",
        "muster_execution_seconds_bucket{le=\"0.005\"} 1",
        "muster_execution_seconds_count 1",
        "muster_commit_outcomes_sum 2.0",
        "muster_worker_start_seconds_bucket{le=\"0.005\",origin=\"fork\"} 1",
        "muster_worker_start_seconds_count{origin=\"process\"} 0",
        "muster_template_failures_total 1",
        "muster_workers{state=\"running\"} 1",
        "muster_workers{state=\"idle\"} 1",
        "muster_executions_pending -1",
        "muster_broker_messages{queue=\"q\",state=\"ready\"} 260",
        "muster_queue_waiting{queue=\"q\"} 7",
        "muster_queue_oldest_wait_seconds{queue=\"q\"} 2.5",
        "muster_share_worker_seconds_total{organization=\"00000000-0000-0000-0000-000000000007\"} 1.5",
        "muster_share_worker_seconds_total{organization=\"(others)\"} 1.5",
        "muster_share_worker_seconds_total{organization=\"(none)\"} 0.25",
        "muster_ready{part=\"store\"} 0",
        "muster_invariant_violations_total{id=\"pool.one-finish\"} 0",
        "muster_invariant_violations_total{id=\"delivery.fenced-write\"} 0",
        "muster_invariant_violations_total{id=\"consumer.one-write\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    pool.workers.clear();
    let text = metrics.encode(&pool, &Readiness::of(Vec::new()), &BusHealth::default(), Unwritten::default());
    assert!(!text.contains("muster_workers{"), "a state without workers is gone");
}

#[test]
fn names_that_requests_make_up_are_no_endless_series() {
    let metrics = SupervisorMetrics::new();
    for number in 0..WORKFLOWS_MAX + 5 {
        metrics.finished(&format!("w{number}"), Status::Success, None, None);
    }
    metrics.finished("w0", Status::Success, None, None);
    let pool = crate::api::tests::pool();
    let ready = Readiness::of(Vec::new());
    let text = metrics.encode(&pool, &ready, &BusHealth::default(), Unwritten::default());
    let series = text.lines().filter(|line| line.starts_with("muster_workflow_executions_finished_total{"));
    assert_eq!(series.count(), WORKFLOWS_MAX + 1);
    assert!(text.contains("{workflow=\"(others)\",status=\"SUCCESS\"} 5"), "{text}");
    assert!(text.contains("{workflow=\"w0\",status=\"SUCCESS\"} 2"), "{text}");
}
