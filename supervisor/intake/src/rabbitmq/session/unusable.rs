//! What can never be used: on its way to the dead letters, while everything else goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::connect::AmqpError;
use super::ConsumerSession;
use crate::Claims;
use crate::rabbitmq::dead_letter_publisher::DeadLetterResult;

/// The pause after the dead letters could not be reached.
const BURY_PAUSE: Duration = Duration::from_secs(1);

impl<C: Claims> ConsumerSession<'_, C> {
    /// Sends what cannot be used on its way to the dead letters, without waiting for it.
    pub(super) fn dead_letter(&mut self) {
        if self.dead_lettering.is_none() && !self.unusable.is_empty() && self.bury_after <= Instant::now() {
            let unusable = std::mem::take(&mut self.unusable);
            self.dead_lettering = Some(Box::pin(Arc::clone(&self.shared.dead_letters).publish(unusable)));
        }
    }

    /// Acknowledges what is among the dead letters now.
    pub(super) async fn forget(&mut self, dead_lettered: DeadLetterResult) -> Result<(), AmqpError> {
        let DeadLetterResult { done, left, problem } = dead_lettered;
        for unusable in &done {
            tracing::warn!(
                execution_id = unusable.id.map(tracing::field::display),
                reason = unusable.reason(),
                "message dead-lettered"
            );
        }
        if let Some(problem) = &problem {
            tracing::warn!(problem, waiting = left.len(), "cannot dead-letter messages; trying again");
            self.bury_after = Instant::now() + BURY_PAUSE;
        }
        self.unusable.extend(left);
        let count = done.len() as u64;
        self.send_acks(done.iter().map(|unusable| unusable.message.tag)).await?;
        self.shared.health.send_modify(|health| {
            health.dead_lettered += count;
            health.dead_letter_problem = problem;
        });
        Ok(())
    }
}
