//! Waiting for the end of an execution.

use std::time::Duration;

use muster_bus::{BusEvent, Channel, ChannelSubscription};
use muster_core::execution::Status;
use muster_store::ExecutionRecord;
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use crate::access::Caller;

/// How often a waiter looks at the row although nobody told it of a change: the news may have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who listens for the end of an execution.
pub(super) struct EndWatch {
    id: Uuid,
    subscription: ChannelSubscription,
    /// It was so since the listening began.
    is_known_open: bool,
}

impl EndWatch {
    /// A submit that was made since answered with this execution and state.
    pub(super) async fn submitted(self, api: &Api, id: Uuid, status: Status) -> Self {
        if id == self.id {
            return Self { is_known_open: !status.is_terminal(), ..self };
        }
        api.watch_end(id).await
    }
}

impl Api {
    /// Begins to listen for the end of an execution, which may be submitted after that.
    pub(super) async fn watch_end(&self, id: Uuid) -> EndWatch {
        let subscription = self.bus.watch(&[Channel::Execution(id)]).await;
        EndWatch { id, subscription, is_known_open: false }
    }

    /// The row once it is terminal, or as it is when the time is up. `None`: there is no such row.
    ///
    /// # Errors
    /// When the caller is not let in any more.
    pub(super) async fn wait_for_end(
        &self,
        caller: &Caller,
        watch: EndWatch,
        wait: Duration,
    ) -> Result<Option<ExecutionRecord>, ApiError> {
        let EndWatch { id, mut subscription, mut is_known_open } = watch;
        let deadline = Instant::now() + wait;
        let ended = self.access.tokens.ended(caller);
        tokio::pin!(ended);
        loop {
            // Listening began before the row is read, so no change can fall between the two.
            if !std::mem::take(&mut is_known_open) {
                let record = self.store.execution(id).await?;
                let is_over = record.as_ref().is_none_or(|record| record.status.is_terminal());
                if is_over || Instant::now() >= deadline || self.closing.is_cancelled() {
                    return Ok(record);
                }
            }
            let look = deadline.min(Instant::now() + LOOK_EVERY);
            loop {
                tokio::select! {
                    heard = subscription.next() => if may_be_over(&heard) { break },
                    () = tokio::time::sleep_until(look) => break,
                    () = self.closing.cancelled() => break,
                    () = &mut ended => return Err(ApiError::token_ended()),
                }
            }
        }
    }
}

/// Only the last status is a reason to read the row again: a run may log and report progress a thousand times a second.
fn may_be_over(heard: &BusEvent) -> bool {
    #[derive(Deserialize)]
    struct ToldStatus {
        status: Status,
    }
    match heard {
        BusEvent::Gap => true,
        BusEvent::Message { data, .. } if data.starts_with(br#"{"type":"status""#) => {
            serde_json::from_slice(data).is_ok_and(|ToldStatus { status }| status.is_terminal())
        }
        BusEvent::Message { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use muster_bus::{Bus, StatusChange};
    use muster_core::execution::{Attempt, LogLine, LogStream};

    use super::*;

    #[tokio::test]
    async fn the_row_is_read_for_an_end_and_a_gap_and_for_nothing_else() {
        let (bus, attempt) = (Bus::in_process("test"), Attempt::new(Uuid::nil(), 1));
        let mut watch = bus.watch(&[Channel::Execution(attempt.execution_id)]).await;
        let line = LogLine {
            sequence: 1,
            at_us: 0,
            level: "info".into(),
            stream: LogStream::Log,
            logger: String::new(),
            message: "hello".to_owned(),
            fields: None,
        };
        bus.log_lines(attempt, &[line], Duration::ZERO);
        let progress = Bytes::from_static(br#"{"type":"progress","current":1}"#);
        bus.publish(&Channel::Execution(attempt.execution_id), progress);
        for status in [Status::Running, Status::Success] {
            bus.status_changed(&StatusChange::new(attempt, status, jiff::Timestamp::UNIX_EPOCH));
        }
        let mut news = Vec::new();
        for _ in 0..4 {
            news.push(may_be_over(&watch.next().await));
        }
        assert_eq!(news, [false, false, false, true]);
        assert!(may_be_over(&BusEvent::Gap));
        let channel = Arc::from("execution:x");
        assert!(!may_be_over(&BusEvent::Message { channel, data: Bytes::new() }));
    }
}
