//! What a fake executor tells, and what becomes of it.

use muster_bus::Channel;
use muster_core::execution::{LogLine, LogStream, RunEnding, Status};
use muster_core::pool::WorkerId;
use muster_protocol::{ErrorInfo, JsonBytes};
use serde_json::json;
use tokio::sync::oneshot;

use super::{TestLine, eventually, heard};
use crate::dispatch::IntakeClosed;
use crate::executor::{ExecutorEvent, LiveEvent, RunProgress, StateQuestion, unix_us};

#[tokio::test]
async fn a_run_is_shown_while_it_lasts_and_then_recorded() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    let spec = line.executor.submitted().await;
    let mut watching = line.bus.watch(&[Channel::Execution(attempt.execution_id)]).await;
    line.executor.tell(ExecutorEvent::Started { attempt, worker: WorkerId(1), at_us: unix_us() });
    let progress = RunProgress { current: 1, total: 2, message: "half".to_owned() };
    line.executor.show(LiveEvent::Progressed(attempt, progress));
    let result = JsonBytes::of(&json!([1.5]));
    line.executor.finish(spec, RunEnding::Succeeded { result });
    let (running, half, over) =
        (heard(&mut watching).await, heard(&mut watching).await, heard(&mut watching).await);
    assert_eq!((&running["status"], &running["workflow"]), (&json!("RUNNING"), &json!("w")));
    assert_eq!((&half["current"], &half["message"]), (&json!(1), &json!("half")));
    assert_eq!(over["status"], "SUCCESS");
    let row = line.row_becomes(attempt.execution_id, Status::Success).await;
    assert_eq!(row.result.map(|result| result.get().to_owned()).as_deref(), Some("[1.5]"));
    assert_eq!((line.in_flight.len(), line.slots.free()), (0, 4));
}

#[tokio::test]
async fn a_large_result_holds_up_nobody_behind_it_and_is_recorded_too() {
    let mut line = TestLine::start().await;
    let large = line.accept(&json!({})).await;
    let of_large = line.executor.submitted().await;
    let small = line.accept(&json!({})).await;
    let of_small = line.executor.submitted().await;
    let result = JsonBytes::of(&json!("x".repeat(1 << 20)));
    line.executor.finish(of_large, RunEnding::Succeeded { result });
    line.executor.finish(of_small, RunEnding::Succeeded { result: JsonBytes::of(&json!(1)) });
    line.row_becomes(small.execution_id, Status::Success).await;
    let row = line.row_becomes(large.execution_id, Status::Success).await;
    assert_eq!(row.result.map(|result| result.get().len()), Some((1 << 20) + 2));
}

#[tokio::test]
async fn a_failure_is_retried_as_its_request_says() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({"max_attempts": 2, "retry_backoff_seconds": 60})).await;
    let spec = line.executor.submitted().await;
    let error = ErrorInfo::new("ValueError", "no");
    line.executor.finish(spec, RunEnding::Failed { error });
    let row = line.row_becomes(attempt.execution_id, Status::Pending).await;
    assert_eq!((row.attempts_charged, row.max_attempts), (1, 2));
    assert!(row.run_after > row.created_at, "not at once");
}

#[tokio::test]
async fn an_attempt_that_is_not_ours_any_more_is_let_go_and_nothing_is_written() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    let spec = line.executor.submitted().await;
    line.executor.finish(spec, RunEnding::Superseded);
    eventually("it is let go", async || line.in_flight.is_empty() && line.slots.free() == 4).await;
    assert_eq!(line.row(attempt.execution_id).await.status, Status::Running);
}

#[tokio::test]
async fn failed_starts_close_the_intake_until_one_works() {
    let line = TestLine::start().await;
    let failed = |consecutive| ExecutorEvent::StartFailed { consecutive, message: "no such file".to_owned() };
    line.executor.tell(failed(2));
    eventually("it is known", async || line.health.start_trouble().is_some()).await;
    assert_eq!(line.slots.closed(), []);
    line.executor.tell(failed(3));
    eventually("it closes", async || line.slots.closed() == [IntakeClosed::WorkersFail]).await;
    line.executor.tell(ExecutorEvent::StartsRecovered);
    eventually("it opens", async || line.slots.closed().is_empty()).await;
    assert_eq!(line.health.start_trouble(), None);
}

#[tokio::test]
async fn a_run_that_asks_for_state_gets_what_is_committed() {
    let line = TestLine::start().await;
    line.sql("INSERT INTO state_entries VALUES (NULL, 'total', '41', 0, NULL)").await;
    let ask = async |key: &str| {
        let (answer, answered) = oneshot::channel();
        let question = StateQuestion { organization: None, key: key.to_owned(), answer };
        line.executor.tell(ExecutorEvent::ReadState(question));
        answered.await.unwrap()
    };
    assert_eq!(ask("total").await, Ok(Some("41".to_owned())));
    assert_eq!(ask("sum").await, Ok(None));
    line.sql("DROP TABLE state_entries").await;
    ask("total").await.unwrap_err();
}

#[tokio::test]
async fn the_lines_of_a_run_are_shown_before_its_end_however_many_they_are() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    let spec = line.executor.submitted().await;
    let mut watching = line.bus.watch(&[Channel::Execution(attempt.execution_id)]).await;
    let lines: Vec<_> = (1..=1000).map(log_line).collect();
    for message in lines.chunks(100) {
        line.executor.show(LiveEvent::Logged(attempt, message.to_vec()));
    }
    line.executor.finish(spec, RunEnding::Succeeded { result: JsonBytes::of(&json!(1)) });
    for shown in &lines {
        assert_eq!(heard(&mut watching).await["sequence"], shown.sequence);
    }
    assert_eq!(heard(&mut watching).await["status"], "SUCCESS");
}

#[tokio::test]
async fn the_lines_of_a_run_stand_before_the_end_of_no_other() {
    let mut line = TestLine::start().await;
    let talkative = line.accept(&json!({})).await;
    let _of_talkative = line.executor.submitted().await;
    line.accept(&json!({})).await;
    let of_quiet = line.executor.submitted().await;
    let lines: Vec<_> = (1..=768).map(log_line).collect();
    for message in lines.chunks(256) {
        line.executor.show(LiveEvent::Logged(talkative, message.to_vec()));
    }
    let free = line.slots.free();
    line.executor.finish(of_quiet, RunEnding::Succeeded { result: JsonBytes::of(&json!(2)) });
    while line.slots.free() == free {
        tokio::task::yield_now().await;
    }
    let shown = line.bus.live_log(talkative.execution_id).await.unwrap().len();
    assert!(shown < lines.len(), "the other has ended, and {shown} lines are shown");
}

fn log_line(sequence: u64) -> LogLine {
    LogLine {
        sequence,
        at_us: unix_us(),
        level: "info".into(),
        stream: LogStream::Log,
        logger: String::new(),
        message: "a line".to_owned(),
        fields: None,
    }
}
