//! One channel's worth of consuming: deliveries come, slots become free, claims commit, acknowledgements go.
//!
//! A delivery passes these stations: it is read; what it leaves out is looked up in its row and its pending
//! record; it is *ready* and waits for a slot; it is claimed together with others; it is acknowledged. One
//! that is ready for too long is left as a PENDING row instead, for whoever has a slot first. One whose
//! record has not come yet waits *aside*. One that can never be used goes to the dead letters.
//!
//! A session lives as long as its channel. Its deliveries die with it, and come again on the next.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::acks::Acks;
use super::arrival::{self, Message, Unusable, Wanted};
use super::connect::{AmqpError, answered};
use super::grave::Buried;
use super::intake::{Lost, Shared};
use super::prefetch::{PREFETCH_MAX, Prefetch};
use crate::bus::Bus;
use crate::execution::Draft;
use crate::intake::{ClaimAnswer, Claims};
use crate::store::{NewExecution, Submitted};

/// At most so many in one claim.
const CLAIM_MAX: usize = 256;
/// So many deliveries are taken from the channel at once.
const ARRIVE_MAX: usize = 512;
/// How long no slot may be free before we stop taking deliveries.
const NO_SLOT_GRACE: Duration = Duration::from_millis(50);
/// A delivery without a slot for this long becomes a PENDING row.
const HOLD_MAX: Duration = Duration::from_secs(5);
/// A pending record may come this much later than its message.
const PENDING_PATIENCE: Duration = Duration::from_secs(5);
/// How often what waits is looked after.
const TICK: Duration = Duration::from_millis(50);
/// How often aside messages ask for their record.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long the cache may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause after the dead letters could not be reached.
const BURY_PAUSE: Duration = Duration::from_secs(1);
/// The pause after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// A delivery that waits for a slot.
#[derive(Debug)]
struct Ready {
    message: Message,
    execution: Arc<NewExecution>,
    since: Instant,
}

/// A delivery that waits for its pending record.
#[derive(Debug)]
struct Aside {
    wanted: Wanted,
    /// Its row has been looked for. Whoever submits writes the row before the message, so once is enough.
    row_read: bool,
    /// How long the cache has answered, and held no record.
    missed: Duration,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module.
pub(super) struct Session<'a, C: Claims> {
    shared: &'a Shared<C>,
    channel: Channel,
    acks: Acks,
    consumer: Option<Consumer>,
    prefetch: Prefetch,
    ready: VecDeque<Ready>,
    aside: Vec<Aside>,
    unusable: Vec<Unusable>,
    /// Unusable messages on their way to the dead letters.
    burying: Option<Pending<Buried>>,
    /// They could not be dead-lettered: not tried again before this.
    bury_after: Instant,
    /// Whoever waits for a slot on our behalf, and since when.
    reserving: Option<(Pending<C::Reservation>, Instant)>,
    /// The store did not answer: nothing is tried before this.
    store_away_until: Option<Instant>,
    asked_at: Instant,
}

impl<'a, C: Claims> Session<'a, C> {
    pub(super) async fn open(connection: &Connection, shared: &'a Shared<C>) -> Result<Self, AmqpError> {
        Ok(Self {
            shared,
            channel: answered(connection.create_channel()).await?,
            acks: Acks::default(),
            consumer: None,
            prefetch: Prefetch::default(),
            ready: VecDeque::new(),
            aside: Vec::new(),
            unusable: Vec::new(),
            burying: None,
            bury_after: Instant::now(),
            reserving: None,
            store_away_until: None,
            asked_at: Instant::now(),
        })
    }

    /// Consumes until it is stopped, or the connection is lost. Neither breaks off a claim.
    pub(super) async fn run(&mut self, stop: &CancellationToken, lost: &Lost) -> Result<(), AmqpError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.want_slots();
            self.bury();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.leave().await,
                error = lost.reason() => return Err(error),
                reservation = when(self.reserving.as_mut().map(|(reserving, _)| reserving)) => {
                    self.reserving = None;
                    self.use_slots(reservation).await?;
                }
                buried = when(self.burying.as_mut()) => {
                    self.burying = None;
                    self.forget(buried).await?;
                }
                messages = deliveries(&mut self.consumer) => self.arrive(messages?).await?,
                _ = tick.tick() => self.look_after().await?,
            }
        }
    }

    /// Asks for slots when there is something to do with them: deliveries to claim, or a consumer to open.
    fn want_slots(&mut self) {
        if self.reserving.is_some()
            || self.store_is_away()
            || (self.ready.is_empty() && self.consumer.is_some())
        {
            return;
        }
        let most = if self.ready.is_empty() { PREFETCH_MAX } else { self.ready.len().min(CLAIM_MAX) };
        let reserving = Arc::clone(&self.shared.claims).reserve(most);
        self.reserving = Some((reserving, Instant::now()));
    }

    fn store_is_away(&self) -> bool {
        self.store_away_until.is_some_and(|until| until > Instant::now())
    }

    async fn use_slots(&mut self, reservation: C::Reservation) -> Result<(), AmqpError> {
        let slots = C::count(&reservation);
        if !self.ready.is_empty() {
            return self.claim(reservation, slots).await;
        }
        if self.consumer.is_none() {
            let window = self.prefetch.open(slots);
            self.consume(window).await?;
        }
        Ok(())
    }
}

/// Deliveries.
impl<C: Claims> Session<'_, C> {
    /// Reads what came, looks up what it leaves out, and puts each where it belongs.
    async fn arrive(&mut self, messages: Vec<Message>) -> Result<(), AmqpError> {
        let mut wanted = Vec::with_capacity(messages.len());
        for message in messages {
            self.acks.delivered(message.tag);
            match arrival::read(message) {
                Ok(one) => wanted.push(one),
                Err(unusable) => self.unusable.push(*unusable),
            }
        }
        self.look_up(wanted).await;
        Ok(())
    }

    /// Completes messages by their pending records. What needs one that is not there goes aside.
    async fn look_up(&mut self, wanted: Vec<Wanted>) {
        if wanted.is_empty() {
            return;
        }
        let ids: Vec<Uuid> = wanted.iter().map(|wanted| wanted.id).collect();
        let records = records(&self.shared.bus, &ids).await;
        for (index, wanted) in wanted.into_iter().enumerate() {
            let record = records.as_ref().and_then(|records| records.get(index)).and_then(Option::as_ref);
            match record {
                Some(record) => self.complete(wanted, Some(record)),
                None if wanted.draft.is_minimal() => {
                    self.aside.push(Aside { wanted, row_read: false, missed: Duration::ZERO });
                }
                None => self.complete(wanted, None),
            }
        }
        if !self.aside.is_empty() {
            self.find_rows().await;
        }
    }

    fn complete(&mut self, wanted: Wanted, record: Option<&Bytes>) {
        let Wanted { message, id, draft } = wanted;
        let draft = match record.map(|record| Draft::parse(record)) {
            None => draft,
            Some(Ok(record)) => draft.or(record),
            Some(Err(error)) => {
                let reason = format!("pending record: {error}");
                return self.unusable.push(Unusable::invalid(message, Some(id), reason));
            }
        };
        match draft.into_request() {
            Ok(request) => {
                let execution = Arc::new(NewExecution::of(&request, self.shared.default_max_attempts));
                self.ready.push_back(Ready { message, execution, since: Instant::now() });
            }
            Err(error) => {
                let reason = error.problems.join("; ");
                self.unusable.push(Unusable::invalid(message, Some(id), reason));
            }
        }
    }

    /// Minimal messages whose row exists need no record: the row has everything.
    async fn find_rows(&mut self) {
        let (read, unread): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.aside).into_iter().partition(|aside| aside.row_read);
        self.aside = read;
        let rows = &self.shared.rows;
        let found = join_all(unread.iter().map(|aside| rows.known(aside.wanted.id))).await;
        for (aside, row) in unread.into_iter().zip(found) {
            match row {
                Ok(Some(row)) => {
                    let (message, execution) = (aside.wanted.message, Arc::new(row));
                    self.ready.push_back(Ready { message, execution, since: Instant::now() });
                }
                Ok(None) => self.aside.push(Aside { row_read: true, ..aside }),
                Err(error) => {
                    tracing::debug!(%error, "a minimal message waits for the store");
                    self.aside.push(aside);
                }
            }
        }
    }

    /// Asks again for the records of what waits aside.
    async fn ask_again(&mut self) {
        let elapsed = self.asked_at.elapsed();
        if elapsed < ASK_EVERY {
            return;
        }
        self.asked_at = Instant::now();
        if self.aside.is_empty() {
            return;
        }
        self.find_rows().await;
        let ids: Vec<Uuid> = self.aside.iter().map(|aside| aside.wanted.id).collect();
        let Some(records) = records(&self.shared.bus, &ids).await else {
            // Out of reach: that is no evidence that there is none.
            return;
        };
        let aside = std::mem::take(&mut self.aside);
        for (mut aside, record) in aside.into_iter().zip(records) {
            if let Some(record) = record {
                self.complete(aside.wanted, Some(&record));
                continue;
            }
            if aside.row_read {
                aside.missed += elapsed;
            }
            if aside.missed > PENDING_PATIENCE {
                let Wanted { message, id, .. } = aside.wanted;
                self.unusable.push(Unusable::pending_not_found(message, id));
            } else {
                self.aside.push(aside);
            }
        }
    }
}

/// Claims.
impl<C: Claims> Session<'_, C> {
    /// Claims as many as there are slots for, and acknowledges what has a row now.
    async fn claim(&mut self, reservation: C::Reservation, slots: usize) -> Result<(), AmqpError> {
        let had_slots_for_all = slots >= self.ready.len();
        let window_open = self.acks.open();
        let batch: Vec<Ready> = self.ready.drain(..slots.min(self.ready.len())).collect();
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
                    self.unusable.push(Unusable::invalid(ready.message, id, reason));
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
    fn hold_back(&mut self, batch: impl DoubleEndedIterator<Item = Ready>) {
        batch.rev().for_each(|ready| self.ready.push_front(ready));
        self.store_away_until = Some(Instant::now() + STORE_PAUSE);
    }

    /// Leaves deliveries that waited too long as PENDING rows, which anybody can claim.
    async fn spill(&mut self) -> Result<(), AmqpError> {
        let overdue = self.ready.iter().take_while(|ready| ready.since.elapsed() >= HOLD_MAX).count();
        if overdue == 0 || self.store_is_away() {
            return Ok(());
        }
        let batch: Vec<Ready> = self.ready.drain(..overdue).collect();
        let rows: Vec<NewExecution> = batch.iter().map(|ready| (*ready.execution).clone()).collect();
        let submitted = match self.shared.rows.submit(&rows).await {
            Ok(submitted) => submitted,
            Err(error) => {
                tracing::warn!(%error, waiting = batch.len(), "cannot keep messages as rows; trying again");
                self.hold_back(batch.into_iter());
                return Ok(());
            }
        };
        tracing::debug!(count = batch.len(), "no slot in time: messages wait as rows");
        let mut done = Vec::with_capacity(batch.len());
        for (ready, submitted) in batch.into_iter().zip(submitted) {
            match submitted {
                Submitted::Inserted | Submitted::Exists(_) => done.push(ready.message.tag),
                Submitted::Refused(reason) => {
                    let id = Some(ready.execution.id);
                    self.unusable.push(Unusable::invalid(ready.message, id, reason));
                }
            }
        }
        self.acknowledge(done).await
    }
}

/// The channel.
impl<C: Claims> Session<'_, C> {
    /// What must not wait for an event: no slot for long, deliveries held for long, records to ask for.
    async fn look_after(&mut self) -> Result<(), AmqpError> {
        let no_slot = self.reserving.as_ref().is_some_and(|(_, since)| since.elapsed() >= NO_SLOT_GRACE);
        if no_slot || self.store_is_away() {
            self.stop_consuming().await?;
        } else if self.consumer.is_some()
            && let Some(window) = self.prefetch.blocked_by(self.aside.len())
        {
            self.stop_consuming().await?;
            self.consume(window).await?;
        }
        self.spill().await?;
        self.ask_again().await;
        Ok(())
    }

    async fn consume(&mut self, window: u16) -> Result<(), AmqpError> {
        answered(self.channel.basic_qos(window, BasicQosOptions::default())).await?;
        let queue = self.shared.names.queue.clone();
        let options = BasicConsumeOptions::default();
        let consumer = self.channel.basic_consume(queue, "".into(), options, FieldTable::default());
        self.consumer = Some(answered(consumer).await?);
        self.shared.health.send_if_modified(|health| !std::mem::replace(&mut health.consuming, true));
        Ok(())
    }

    /// Ends the consumer and takes in what was on its way. It stays open: the channel has it.
    async fn stop_consuming(&mut self) -> Result<(), AmqpError> {
        let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
        answered(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        let mut messages = Vec::new();
        while let Some(delivery) = consumer.next().await {
            messages.push(message(delivery?));
        }
        self.shared.health.send_if_modified(|health| std::mem::replace(&mut health.consuming, false));
        self.arrive(messages).await
    }

    async fn acknowledge(&mut self, tags: Vec<u64>) -> Result<(), AmqpError> {
        let count = tags.len() as u64;
        self.settle(tags).await?;
        self.shared.health.send_if_modified(|health| {
            health.taken += count;
            false
        });
        Ok(())
    }

    async fn settle(&mut self, tags: impl IntoIterator<Item = u64>) -> Result<(), AmqpError> {
        for ack in self.acks.settle(tags) {
            let options = BasicAckOptions { multiple: ack.multiple };
            answered(self.channel.basic_ack(ack.tag, options)).await?;
        }
        Ok(())
    }

    /// Sends what cannot be used on its way to the dead letters, without waiting for it.
    fn bury(&mut self) {
        if self.burying.is_none() && !self.unusable.is_empty() && self.bury_after <= Instant::now() {
            let unusable = std::mem::take(&mut self.unusable);
            self.burying = Some(Box::pin(Arc::clone(&self.shared.grave).bury(unusable)));
        }
    }

    /// Acknowledges what is among the dead letters now.
    async fn forget(&mut self, buried: Buried) -> Result<(), AmqpError> {
        let Buried { done, left, problem } = buried;
        for unusable in &done {
            tracing::warn!(execution = ?unusable.id, reason = unusable.reason(), "message dead-lettered");
        }
        if let Some(problem) = &problem {
            tracing::warn!(problem, waiting = left.len(), "cannot dead-letter messages; trying again");
            self.bury_after = Instant::now() + BURY_PAUSE;
        }
        self.unusable.extend(left);
        let count = done.len() as u64;
        self.settle(done.iter().map(|unusable| unusable.message.tag)).await?;
        self.shared.health.send_modify(|health| {
            health.dead_lettered += count;
            health.dead_letter_problem = problem;
        });
        Ok(())
    }

    /// Gives back what was not claimed and closes the channel.
    async fn leave(&mut self) -> Result<(), AmqpError> {
        if let Some(consumer) = self.consumer.take() {
            answered(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        }
        if self.acks.open() > 0 {
            let everything = BasicNackOptions { multiple: true, requeue: true };
            answered(self.channel.basic_nack(0, everything)).await?;
        }
        answered(self.channel.close(200, "leaving".into())).await?;
        Ok(())
    }
}

/// What a future brings, if there is one.
async fn when<T>(pending: Option<&mut Pending<T>>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

/// The pending records, in order; `None` when the cache is out of reach.
async fn records(bus: &Bus, ids: &[Uuid]) -> Option<Vec<Option<Bytes>>> {
    tokio::time::timeout(BUS_TIMEOUT, bus.pending(ids)).await.ok()?.ok()
}

/// The next delivery and whatever came with it. Waits for ever without a consumer.
async fn deliveries(consumer: &mut Option<Consumer>) -> Result<Vec<Message>, AmqpError> {
    let Some(consumer) = consumer else { return std::future::pending().await };
    let ended = || AmqpError::Unreachable("the consumer was cancelled by the broker".to_owned());
    let mut messages = vec![message(consumer.next().await.ok_or_else(ended)??)];
    while messages.len() < ARRIVE_MAX {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => messages.push(message(delivery?)),
            // The end of the stream is met again by the next call.
            Some(None) | None => break,
        }
    }
    Ok(messages)
}

fn message(delivery: lapin::message::Delivery) -> Message {
    Message { tag: delivery.delivery_tag, body: delivery.data, properties: delivery.properties }
}
