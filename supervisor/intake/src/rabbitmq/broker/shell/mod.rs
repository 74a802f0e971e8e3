//! The shell around the consumer's machine: turns what the broker, the store, the cache and the slots say into
//! events, and the machine's actions into calls. It decides nothing.

mod calls;
mod channel;
mod link;
mod notices;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect::{BrokerAddress, QueueNames};
use super::dead_letter_publisher::DeadLetterPublisher;
use super::rows::IntakeRows;
use crate::Claims;
use crate::rabbitmq::consumer::{
    BrokerHealth, ConsumerAction, ConsumerConfig, ConsumerEvent, ConsumerMachine,
};
use link::BrokerLink;
use muster_bus::Bus;
use muster_core::pool::PoolTime;
use requests::ChannelRequest;

/// Without a deadline the shell looks again after so long.
const NO_DEADLINE: Duration = Duration::from_secs(3600);

/// What the consumer works with.
#[derive(Debug)]
pub(super) struct ConsumerParts<C> {
    pub(super) address: BrokerAddress,
    pub(super) names: QueueNames,
    pub(super) claims: Arc<C>,
    pub(super) rows: Arc<dyn IntakeRows>,
    pub(super) bus: Bus,
    pub(super) dead_letters: Arc<DeadLetterPublisher>,
    pub(super) health: watch::Sender<BrokerHealth>,
}

/// See the module.
pub(super) struct ConsumerShell<C: Claims> {
    parts: ConsumerParts<C>,
    machine: ConsumerMachine,
    began: Instant,
    link: BrokerLink,
    /// Whoever waits for a slot on our behalf.
    reserving: Option<BoxFuture<'static, C::IntakeReservation>>,
    /// Slots that were reserved, until the machine has said what becomes of them.
    reserved: Option<C::IntakeReservation>,
    /// What the store, the cache and the dead letters are asked.
    calls: FuturesUnordered<BoxFuture<'static, ConsumerEvent>>,
}

impl<C: Claims> ConsumerShell<C> {
    pub(super) fn new(parts: ConsumerParts<C>, config: ConsumerConfig) -> Self {
        Self {
            parts,
            machine: ConsumerMachine::new(config, PoolTime::START),
            began: Instant::now(),
            link: BrokerLink::None,
            reserving: None,
            reserved: None,
            calls: FuturesUnordered::new(),
        }
    }

    /// Consumes until it is told to stop and has finished what it has begun.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut event = ConsumerEvent::Tick;
        let mut is_told = false;
        loop {
            self.step(event);
            if self.machine.is_finished() {
                return;
            }
            event = tokio::select! {
                biased;
                () = stop.cancelled(), if !is_told => {
                    is_told = true;
                    ConsumerEvent::Leave
                }
                event = self.next_event() => event,
            };
        }
    }

    fn step(&mut self, event: ConsumerEvent) {
        let mut actions = Vec::new();
        self.machine.step(PoolTime::after_start(self.began.elapsed()), event, &mut actions);
        actions.into_iter().for_each(|action| self.carry_out(action));
        self.parts.health.send_if_modified(|health| health.follow(self.machine.health()));
    }

    /// What happens next. Safe to cancel.
    async fn next_event(&mut self) -> ConsumerEvent {
        let deadline = self.machine.next_deadline().map(|at| self.began + at.since_start());
        let deadline = deadline.unwrap_or_else(|| Instant::now() + NO_DEADLINE);
        tokio::select! {
            biased;
            Some(event) = self.calls.next() => event,
            reservation = when(self.reserving.as_mut()) => {
                self.reserving = None;
                let slots = C::count(&reservation);
                self.reserved = Some(reservation);
                ConsumerEvent::SlotsReserved { slots }
            }
            () = tokio::time::sleep_until(deadline) => ConsumerEvent::Tick,
            event = self.link.next_event() => event,
        }
    }

    fn carry_out(&mut self, action: ConsumerAction) {
        match action {
            ConsumerAction::OpenChannel { channel } => {
                self.link = BrokerLink::open(channel, self.parts.address.clone(), self.parts.names.clone());
            }
            ConsumerAction::DropChannel => self.link = BrokerLink::None,
            ConsumerAction::CloseChannel => self.link.request(ChannelRequest::Close),
            ConsumerAction::StartConsumer { window } => self.link.request(ChannelRequest::Consume { window }),
            ConsumerAction::StopConsumer => self.link.request(ChannelRequest::Cancel),
            ConsumerAction::Acknowledge(acknowledgements) => self.link.acknowledge(acknowledgements),
            ConsumerAction::ReserveSlots { most } => {
                self.reserving = Some(Arc::clone(&self.parts.claims).reserve(most));
            }
            ConsumerAction::AbandonSlots => self.reserving = None,
            ConsumerAction::ReleaseSlots => self.reserved = None,
            ConsumerAction::Claim { executions } => {
                let reservation = self.reserved.take();
                self.calls.push(calls::claim(&self.parts, executions, reservation));
            }
            ConsumerAction::KeepAsRows { executions } => {
                self.calls.push(calls::keep_as_rows(&self.parts, executions));
            }
            ConsumerAction::ReadRecords { ids } => self.calls.push(calls::read_records(&self.parts, ids)),
            ConsumerAction::ReadRows { ids } => self.calls.push(calls::read_rows(&self.parts, ids)),
            ConsumerAction::RecordFailures(failures) => {
                self.calls.push(calls::record_failures(&self.parts, failures));
            }
            ConsumerAction::ReplyWith { execution_id, existing } => {
                Arc::clone(&self.parts.rows).reply_with(execution_id, existing);
            }
            ConsumerAction::PublishDeadLetters(letters) => {
                let letters = self.link.letters(letters);
                self.calls.push(calls::publish_dead_letters(&self.parts, letters));
            }
            ConsumerAction::Notify(notice) => notices::tell(&notice, &self.parts.names),
        }
    }
}

/// What a future brings, if there is one. Safe to cancel.
async fn when<T>(pending: Option<&mut BoxFuture<'static, T>>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}
