//! One channel's worth of consuming: deliveries come, slots become free, claims commit, acknowledgements go.
//!
//! A delivery passes these stations: it is read; what it leaves out is looked up in its row and its pending
//! record; it is *ready* and waits for a slot; it is claimed together with others; it is acknowledged. One
//! that is ready for too long is left as a PENDING row instead, for whoever has a slot first. One whose
//! record has not come yet waits *aside*. One that can never be used goes to the dead letters.
//!
//! A session lives as long as its channel. Its deliveries die with it, and come again on the next.

mod claiming;
mod consuming;
mod lookup;
mod unusable;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use claiming::CLAIM_MAX;
use consuming::deliveries;
use lapin::{Channel, Connection, Consumer};
use muster_store::NewExecution;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acks::Acks;
use super::connect::{AmqpError, answered};
use super::dead_letter_publisher::DeadLetterResult;
use super::delivery::{Delivery, IdentifiedDelivery, UnusableDelivery};
use super::intake::{ConnectionLoss, IntakeShared};
use super::prefetch::{PREFETCH_MAX, Prefetch};
use crate::Claims;

/// How long no slot may be free before we stop taking deliveries.
const NO_SLOT_GRACE: Duration = Duration::from_millis(50);
/// How often what waits is looked after.
const TICK: Duration = Duration::from_millis(50);

/// A delivery that waits for a slot.
#[derive(Debug)]
struct ReadyDelivery {
    message: Delivery,
    execution: Arc<NewExecution>,
    since: Instant,
}

/// A delivery that waits for its pending record.
#[derive(Debug)]
struct AwaitingRecord {
    wanted: IdentifiedDelivery,
    /// Its row has been looked for. Whoever submits writes the row before the message, so once is enough.
    row_read: bool,
    /// How long the cache has answered, and held no record.
    missed: Duration,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module.
pub(in crate::rabbitmq) struct ConsumerSession<'a, C: Claims> {
    shared: &'a IntakeShared<C>,
    channel: Channel,
    acks: Acks,
    consumer: Option<Consumer>,
    prefetch: Prefetch,
    ready: VecDeque<ReadyDelivery>,
    aside: Vec<AwaitingRecord>,
    unusable: Vec<UnusableDelivery>,
    /// Unusable messages on their way to the dead letters.
    dead_lettering: Option<Pending<DeadLetterResult>>,
    /// They could not be dead-lettered: not tried again before this.
    bury_after: Instant,
    /// Whoever waits for a slot on our behalf, and since when.
    reserving: Option<(Pending<C::IntakeReservation>, Instant)>,
    /// The store did not answer: nothing is tried before this.
    store_away_until: Option<Instant>,
    asked_at: Instant,
}

impl<'a, C: Claims> ConsumerSession<'a, C> {
    pub(in crate::rabbitmq) async fn open(
        connection: &Connection,
        shared: &'a IntakeShared<C>,
    ) -> Result<Self, AmqpError> {
        Ok(Self {
            shared,
            channel: answered(connection.create_channel()).await?,
            acks: Acks::default(),
            consumer: None,
            prefetch: Prefetch::default(),
            ready: VecDeque::new(),
            aside: Vec::new(),
            unusable: Vec::new(),
            dead_lettering: None,
            bury_after: Instant::now(),
            reserving: None,
            store_away_until: None,
            asked_at: Instant::now(),
        })
    }

    /// Consumes until it is stopped, or the connection is lost. Neither breaks off a claim.
    pub(in crate::rabbitmq) async fn run(
        &mut self,
        stop: &CancellationToken,
        lost: &ConnectionLoss,
    ) -> Result<(), AmqpError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.want_slots();
            self.dead_letter();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.leave().await,
                error = lost.reason() => return Err(error),
                reservation = when(self.reserving.as_mut().map(|(reserving, _)| reserving)) => {
                    self.reserving = None;
                    self.use_slots(reservation).await?;
                }
                dead_lettered = when(self.dead_lettering.as_mut()) => {
                    self.dead_lettering = None;
                    self.forget(dead_lettered).await?;
                }
                _ = tick.tick() => self.look_after().await?,
                messages = deliveries(&mut self.consumer) => self.arrive(messages?).await,
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
        // More may be ready by the time there are slots; what is not needed goes back then.
        let most = if self.ready.is_empty() { PREFETCH_MAX } else { CLAIM_MAX };
        let reserving = Arc::clone(&self.shared.claims).reserve(most);
        self.reserving = Some((reserving, Instant::now()));
    }

    fn store_is_away(&self) -> bool {
        self.store_away_until.is_some_and(|until| until > Instant::now())
    }

    async fn use_slots(&mut self, mut reservation: C::IntakeReservation) -> Result<(), AmqpError> {
        let slots = C::count(&reservation);
        if !self.ready.is_empty() {
            C::keep(&mut reservation, self.ready.len());
            return self.claim(reservation, slots).await;
        }
        // It only told how many are free. Others may have them while the consumer is opened.
        drop(reservation);
        if self.consumer.is_none() {
            let window = self.prefetch.open(slots);
            self.consume(window).await?;
        }
        Ok(())
    }

    /// How many deliveries wait for something that no slot can give: their record, or the dead letters.
    fn held_up(&self) -> usize {
        self.acks.open().saturating_sub(self.ready.len())
    }

    /// What must not wait for an event: no slot for long, deliveries held for long, records to ask for.
    async fn look_after(&mut self) -> Result<(), AmqpError> {
        let no_slot = self.reserving.as_ref().is_some_and(|(_, since)| since.elapsed() >= NO_SLOT_GRACE);
        if no_slot || self.store_is_away() {
            self.stop_consuming().await?;
        } else if self.consumer.is_some()
            && let Some(window) = self.prefetch.blocked_by(self.held_up())
        {
            self.stop_consuming().await?;
            self.consume(window).await?;
        }
        self.spill().await?;
        self.ask_again().await;
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
