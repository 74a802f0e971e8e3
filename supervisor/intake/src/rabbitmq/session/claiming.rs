//! From ready deliveries to rows: claimed together when slots are free, left as PENDING rows when none are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use muster_store::{NewExecution, Submitted};
use tokio::time::Instant;

use super::super::connect::AmqpError;
use super::{ConsumerSession, ReadyDelivery};
use crate::rabbitmq::delivery::UnusableDelivery;
use crate::{ClaimAnswer, Claims};

/// At most so many in one claim.
pub(super) const CLAIM_MAX: usize = 256;
/// A delivery without a slot for this long becomes a PENDING row.
const HOLD_MAX: Duration = Duration::from_secs(5);
/// The pause after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

impl<C: Claims> ConsumerSession<'_, C> {
    /// Claims as many as there are slots for, and acknowledges what has a row now.
    pub(super) async fn claim(
        &mut self,
        reservation: C::IntakeReservation,
        slots: usize,
    ) -> Result<(), AmqpError> {
        let had_slots_for_all = slots >= self.ready.len();
        let window_open = self.acks.open();
        let batch: Vec<ReadyDelivery> = self.ready.drain(..slots.min(self.ready.len())).collect();
        let mut seen = HashSet::with_capacity(batch.len());
        let (batch, twins): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|ready| seen.insert(ready.execution.id));
        let executions = batch.iter().map(|ready| Arc::clone(&ready.execution)).collect();
        let answers = match self.shared.claims.claim(executions, reservation).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(%error, waiting = batch.len(), "cannot claim; trying again");
                self.hold_back(batch.into_iter().chain(twins));
                return Ok(());
            }
        };
        // The same message twice in one batch is one claim.
        let mut done: Vec<u64> = twins.iter().map(|twin| twin.message.tag).collect();
        for (ready, answer) in batch.into_iter().zip(answers) {
            match answer {
                ClaimAnswer::Taken | ClaimAnswer::Elsewhere(_) => done.push(ready.message.tag),
                ClaimAnswer::Refused(reason) => {
                    let id = Some(ready.execution.id);
                    let sync = is_sync(&ready.execution);
                    self.unusable.push(UnusableDelivery::invalid(ready.message, id, reason).with_sync(sync));
                }
            }
        }
        self.acknowledge(done).await?;
        if had_slots_for_all && let Some(window) = self.prefetch.claimed(window_open) {
            self.stop_consuming().await?;
            self.consume(window).await?;
        }
        Ok(())
    }

    /// Puts deliveries back in front, and leaves the store alone for a moment.
    pub(super) fn hold_back(&mut self, batch: impl DoubleEndedIterator<Item = ReadyDelivery>) {
        batch.rev().for_each(|ready| self.ready.push_front(ready));
        self.store_away_until = Some(Instant::now() + STORE_PAUSE);
    }

    /// Leaves deliveries that waited too long as PENDING rows, which anybody can claim.
    pub(super) async fn spill(&mut self) -> Result<(), AmqpError> {
        let overdue = self.ready.iter().take_while(|ready| ready.since.elapsed() >= HOLD_MAX).count();
        if overdue == 0 || self.store_is_away() {
            return Ok(());
        }
        let batch: Vec<ReadyDelivery> = self.ready.drain(..overdue).collect();
        let rows: Vec<NewExecution> = batch.iter().map(|ready| (*ready.execution).clone()).collect();
        let submitted = match self.shared.rows.submit(&rows).await {
            Ok(submitted) => submitted,
            Err(error) => {
                tracing::warn!(%error, waiting = batch.len(), "cannot keep messages as rows; trying again");
                self.hold_back(batch.into_iter());
                return Ok(());
            }
        };
        tracing::debug!(count = batch.len(), "no free slot in time; messages are kept as rows");
        let mut done = Vec::with_capacity(batch.len());
        for (ready, submitted) in batch.into_iter().zip(submitted) {
            match submitted {
                Submitted::Inserted | Submitted::Exists(_) => done.push(ready.message.tag),
                Submitted::Refused(reason) => {
                    let id = Some(ready.execution.id);
                    let sync = is_sync(&ready.execution);
                    self.unusable.push(UnusableDelivery::invalid(ready.message, id, reason).with_sync(sync));
                }
            }
        }
        self.acknowledge(done).await
    }
}

/// Somebody waits for the reply to this request.
fn is_sync(execution: &NewExecution) -> bool {
    execution.read_request().is_ok_and(|request| request.sync)
}
