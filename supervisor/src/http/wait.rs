//! Waiting for the end of an execution.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use crate::bus::{Channel, Heard};
use crate::store::ExecutionRecord;

/// How often a waiter looks at the row although nobody told it of a change: the news may have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Api {
    /// The row once it is terminal, or as it is when the time is up. `None`: there is no such row.
    pub(super) async fn wait_for_end(
        &self,
        id: Uuid,
        wait: Duration,
    ) -> Result<Option<ExecutionRecord>, ApiError> {
        let deadline = Instant::now() + wait;
        // Listening begins before the row is read, so no change can fall between the two.
        let mut watch = self.bus.watch(&[Channel::Execution(id)]).await;
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
                }
            }
        }
    }
}

/// Log lines are no reason to read the row again.
fn is_news(heard: &Heard) -> bool {
    match heard {
        Heard::Gap => true,
        Heard::Message { data, .. } => !data.starts_with(br#"{"type":"log""#),
    }
}
