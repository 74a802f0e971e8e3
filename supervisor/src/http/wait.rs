//! Waiting for the end of an execution.

use std::time::Duration;

use muster_bus::{BusEvent, Channel};
use muster_store::ExecutionRecord;
use tokio::time::Instant;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use crate::access::Caller;

/// How often a waiter looks at the row although nobody told it of a change: the news may have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Api {
    /// The row once it is terminal, or as it is when the time is up. `None`: there is no such row.
    ///
    /// # Errors
    /// When the caller is not let in any more.
    pub(super) async fn wait_for_end(
        &self,
        caller: &Caller,
        id: Uuid,
        wait: Duration,
    ) -> Result<Option<ExecutionRecord>, ApiError> {
        let deadline = Instant::now() + wait;
        // Listening begins before the row is read, so no change can fall between the two.
        let mut watch = self.bus.watch(&[Channel::Execution(id)]).await;
        let ended = self.access.tokens.ended(caller);
        tokio::pin!(ended);
        loop {
            let record = self.store.execution(id).await?;
            let is_over = record.as_ref().is_none_or(|record| record.status.is_terminal());
            if is_over || Instant::now() >= deadline || self.closing.is_cancelled() {
                return Ok(record);
            }
            let look = deadline.min(Instant::now() + LOOK_EVERY);
            loop {
                tokio::select! {
                    heard = watch.next() => if is_news(&heard) { break },
                    () = tokio::time::sleep_until(look) => break,
                    () = self.closing.cancelled() => break,
                    () = &mut ended => return Err(ApiError::token_ended()),
                }
            }
        }
    }
}

/// Only another status is a reason to read the row again: a run may log and report progress a thousand times a second.
fn is_news(heard: &BusEvent) -> bool {
    match heard {
        BusEvent::Gap => true,
        BusEvent::Message { data, .. } => data.starts_with(br#"{"type":"status""#),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use muster_bus::{Bus, StatusChange};
    use muster_core::execution::{Attempt, LogLine, LogStream, Status};

    use super::*;

    #[tokio::test]
    async fn the_row_is_read_for_a_status_and_a_gap_and_for_nothing_else() {
        let (bus, attempt) = (Bus::in_process("test"), Attempt::new(Uuid::nil(), 1));
        let mut watch = bus.watch(&[Channel::Execution(attempt.execution_id)]).await;
        let line = LogLine {
            sequence: 1,
            at_us: 0,
            level: "info".to_owned(),
            stream: LogStream::Log,
            logger: String::new(),
            message: "hello".to_owned(),
            fields: None,
        };
        bus.log_lines(attempt, &[line], Duration::ZERO);
        let progress = Bytes::from_static(br#"{"type":"progress","current":1}"#);
        bus.publish(&Channel::Execution(attempt.execution_id), progress);
        bus.status_changed(&StatusChange::new(attempt, Status::Running, jiff::Timestamp::UNIX_EPOCH));
        let mut news = Vec::new();
        for _ in 0..3 {
            news.push(is_news(&watch.next().await));
        }
        assert_eq!(news, [false, false, true]);
        assert!(is_news(&BusEvent::Gap));
        let channel = Arc::from("execution:x");
        assert!(!is_news(&BusEvent::Message { channel, data: Bytes::new() }));
    }
}
