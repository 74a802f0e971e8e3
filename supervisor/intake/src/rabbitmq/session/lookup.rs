//! From a delivery to something that can be claimed: what a message leaves out is in its row or its pending
//! record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use muster_bus::Bus;
use muster_core::execution::RequestDraft;
use muster_store::NewExecution;
use tokio::time::Instant;
use uuid::Uuid;

use super::{AwaitingRecord, ConsumerSession, ReadyDelivery};
use crate::Claims;
use crate::rabbitmq::delivery::{self, Delivery, IdentifiedDelivery, UnusableDelivery};

/// A pending record may come this much later than its message.
const PENDING_PATIENCE: Duration = Duration::from_secs(5);
/// How often aside messages ask for their record.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long the cache may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

impl<C: Claims> ConsumerSession<'_, C> {
    /// Reads what came, looks up what it leaves out, and puts each where it belongs.
    pub(super) async fn arrive(&mut self, messages: Vec<Delivery>) {
        let mut wanted = Vec::with_capacity(messages.len());
        for message in messages {
            self.acks.delivered(message.tag);
            match delivery::read(message) {
                Ok(one) => wanted.push(one),
                Err(unusable) => self.unusable.push(*unusable),
            }
        }
        self.look_up(wanted).await;
    }

    /// Completes messages by their pending records. What needs one that is not there goes aside.
    pub(super) async fn look_up(&mut self, wanted: Vec<IdentifiedDelivery>) {
        if wanted.is_empty() {
            return;
        }
        let ids: Vec<Uuid> = wanted.iter().map(|wanted| wanted.id).collect();
        let records = records(&self.shared.bus, &ids).await;
        for (index, wanted) in wanted.into_iter().enumerate() {
            let record = records.as_ref().and_then(|records| records.get(index)).and_then(Option::as_ref);
            match record {
                Some(record) => self.complete(wanted, Some(record)),
                // With the cache out of reach nobody knows what the record would have added.
                None if wanted.draft.is_minimal()
                    || (records.is_none() && !wanted.draft.has_parameters()) =>
                {
                    self.aside.push(AwaitingRecord { wanted, row_read: false, missed: Duration::ZERO });
                }
                None => self.complete(wanted, None),
            }
        }
        if !self.aside.is_empty() {
            self.find_rows().await;
        }
    }

    pub(super) fn complete(&mut self, wanted: IdentifiedDelivery, record: Option<&Bytes>) {
        let IdentifiedDelivery { message, id, draft } = wanted;
        let sync = draft.is_sync();
        let draft = match record.map(|record| RequestDraft::parse(record)) {
            None => draft,
            Some(Ok(record)) => draft.or(record),
            Some(Err(error)) => {
                let reason = format!("pending record: {error}");
                return self
                    .unusable
                    .push(UnusableDelivery::invalid(message, Some(id), reason).with_sync(sync));
            }
        };
        let sync = sync || draft.is_sync();
        match draft.into_request() {
            Ok(request) => {
                let execution = Arc::new(NewExecution::of(&request, self.shared.default_max_attempts));
                self.ready.push_back(ReadyDelivery { message, execution, since: Instant::now() });
            }
            Err(error) => {
                let reason = error.problems.join("; ");
                self.unusable.push(UnusableDelivery::invalid(message, Some(id), reason).with_sync(sync));
            }
        }
    }

    /// Minimal messages whose row exists need no record: the row has everything.
    pub(super) async fn find_rows(&mut self) {
        let (read, unread): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.aside).into_iter().partition(|aside| aside.row_read);
        self.aside = read;
        let rows = &self.shared.rows;
        let found = join_all(unread.iter().map(|aside| rows.known(aside.wanted.id))).await;
        for (aside, row) in unread.into_iter().zip(found) {
            match row {
                Ok(Some(row)) => {
                    let (message, execution) = (aside.wanted.message, Arc::new(row));
                    self.ready.push_back(ReadyDelivery { message, execution, since: Instant::now() });
                }
                Ok(None) => self.aside.push(AwaitingRecord { row_read: true, ..aside }),
                Err(error) => {
                    tracing::debug!(%error, "a minimal message waits for the store");
                    self.aside.push(aside);
                }
            }
        }
    }

    /// Asks again for the records of what waits aside.
    pub(super) async fn ask_again(&mut self) {
        let elapsed = self.asked_at.elapsed();
        if elapsed < ASK_EVERY {
            return;
        }
        self.asked_at = Instant::now();
        if !self.aside.is_empty() {
            self.find_rows().await;
        }
        if self.aside.is_empty() {
            return self.tell_waiting(0);
        }
        let ids: Vec<Uuid> = self.aside.iter().map(|aside| aside.wanted.id).collect();
        let Some(records) = records(&self.shared.bus, &ids).await else {
            // Out of reach: that is no evidence that there is none.
            self.tell_waiting(ids.len());
            return;
        };
        self.tell_waiting(0);
        let aside = std::mem::take(&mut self.aside);
        for (mut aside, record) in aside.into_iter().zip(records) {
            if record.is_some() || !aside.wanted.draft.is_minimal() {
                self.complete(aside.wanted, record.as_ref());
                continue;
            }
            if aside.row_read {
                aside.missed += elapsed;
            }
            if aside.missed > PENDING_PATIENCE {
                let IdentifiedDelivery { message, id, draft } = aside.wanted;
                let sync = draft.is_sync();
                self.unusable.push(UnusableDelivery::pending_not_found(message, id).with_sync(sync));
            } else {
                self.aside.push(aside);
            }
        }
    }
}

impl<C: Claims> ConsumerSession<'_, C> {
    /// Readiness and the log say how many messages can run only when Redis is back.
    fn tell_waiting(&self, count: usize) {
        let before = self.shared.health.borrow().waiting_for_records;
        if before == count {
            return;
        }
        self.shared.health.send_modify(|health| health.waiting_for_records = count);
        match (before, count) {
            (0, _) => tracing::warn!(
                count,
                "messages wait for their pending record in Redis, which is out of reach; they run when it is back"
            ),
            (_, 0) => tracing::info!("no message waits for a pending record in Redis any more"),
            _ => {}
        }
    }
}

/// The pending records, in order; `None` when the cache is out of reach.
async fn records(bus: &Bus, ids: &[Uuid]) -> Option<Vec<Option<Bytes>>> {
    tokio::time::timeout(BUS_TIMEOUT, bus.pending(ids)).await.ok()?.ok()
}
