//! What must hold: after every step, at single actions, and at the end.

use std::time::Duration;

use muster_intake::rabbitmq::consumer::{ConsumerAction, ConsumerInvariant};

use super::super::message::Kind;
use super::{Climate, ShellConsumer, World};
use crate::simulator::require;

/// A delivery that could be claimed is held no longer: 5 s, then one call to the store after another that is under way.
const HELD_MAX: Duration = Duration::from_secs(12);
/// What the shell's clock may be late.
const SLACK: Duration = Duration::from_millis(10);

impl World {
    /// What must hold after every step.
    pub(super) fn check(&self) {
        if let Some(deadline) = self.machine.next_deadline() {
            require(deadline > self.now, ConsumerInvariant::NeverSpins, || {
                format!("{deadline:?} is not later")
            });
        }
        self.check_stations();
        self.check_no_slot();
        self.check_held();
    }

    fn check_stations(&self) {
        let snapshot = self.machine.snapshot();
        let Some(number) = snapshot.channel else { return };
        let Some(shell) = self.shell.as_ref().filter(|shell| shell.number == number) else {
            panic!("the consumer has a channel that is not there: {snapshot:?}");
        };
        let stations = snapshot.awaiting + snapshot.ready + snapshot.writing + snapshot.unusable;
        let is_whole =
            snapshot.open == shell.open.len() && (snapshot.is_leaving || snapshot.open == stations);
        require(is_whole, ConsumerInvariant::OneStation, || {
            format!("{} deliveries are open, and {snapshot:?}", shell.open.len())
        });
    }

    fn check_no_slot(&self) {
        let grace = Duration::from_millis(50) + SLACK;
        let is_late = self.slots.wanted_since().is_some_and(|since| self.now.since(since) > grace);
        let is_running = self.shell.as_ref().is_some_and(|shell| shell.consumer == ShellConsumer::Running);
        require(!(is_late && is_running), ConsumerInvariant::NoSlotNoDelivery, || {
            format!("{:?}", self.machine.snapshot())
        });
    }

    fn check_held(&self) {
        if self.now.since(self.store_trouble) < HELD_MAX + Duration::from_secs(8) || self.left_at.is_some() {
            return;
        }
        for (message, since) in self.shell.iter().flat_map(|shell| shell.open.values()) {
            let is_claimable = self.messages[*message].kind == Kind::Whole;
            let held = self.now.since(*since);
            require(!is_claimable || held < HELD_MAX, ConsumerInvariant::HeldBriefly, || {
                format!("message {message} is held for {held:?}")
            });
        }
    }

    pub(super) fn check_pause(&self) {
        let Some(lost_at) = self.lost_at else { return };
        let pause = self.now.since(lost_at);
        let bounds = Duration::from_millis(100)..=Duration::from_secs(6) + SLACK;
        require(bounds.contains(&pause), ConsumerInvariant::Reconnects, || format!("a pause of {pause:?}"));
    }

    /// The message is acknowledged: something stands for it.
    pub(super) fn check_acknowledged(&self, number: usize) {
        let message = &self.messages[number];
        let has_row = message.named().is_some_and(|id| self.store.rows.contains_key(&id));
        require(message.is_letter || has_row, ConsumerInvariant::RowBeforeAck, || {
            format!("{number}: {message:?}")
        });
    }

    /// Nothing is begun by one who leaves.
    pub(super) fn check_may_begin(&self, action: &ConsumerAction) {
        let begins = match action {
            ConsumerAction::OpenChannel { .. }
            | ConsumerAction::StartConsumer { .. }
            | ConsumerAction::ReserveSlots { .. }
            | ConsumerAction::Claim { .. }
            | ConsumerAction::KeepAsRows { .. }
            | ConsumerAction::ReadRecords { .. }
            | ConsumerAction::ReadRows { .. }
            | ConsumerAction::ReplyWith { .. }
            | ConsumerAction::RecordFailures(_) => true,
            ConsumerAction::PublishDeadLetters(_)
            | ConsumerAction::DropChannel
            | ConsumerAction::CloseChannel
            | ConsumerAction::StopConsumer
            | ConsumerAction::Acknowledge(_)
            | ConsumerAction::AbandonSlots
            | ConsumerAction::ReleaseSlots
            | ConsumerAction::Notify(_) => false,
        };
        require(!begins || self.left_at.is_none(), ConsumerInvariant::Leaves, || {
            format!("{action:?} begins")
        });
    }

    /// Every message has a row or is a dead letter, but for those that nobody will take.
    pub(super) fn all_but_poison_is_done(&self) -> bool {
        self.open_messages == self.open_poison
    }

    pub(super) fn all_is_done(&self) -> bool {
        self.open_messages == 0
    }

    pub(super) fn check_nothing_is_lost(&self, is_done: impl Fn(&Self) -> bool) {
        let waiting = || {
            let messages = self.messages.iter().enumerate();
            messages.filter(|(_, message)| !message.is_gone).map(|(number, _)| number).collect::<Vec<_>>()
        };
        require(is_done(self), ConsumerInvariant::NothingLost, || {
            format!("{:?} wait: {:?}, health {:?}", waiting(), self.machine.snapshot(), self.machine.health())
        });
        for message in &self.messages {
            let never_fails = matches!(message.kind, Kind::MinimalLate | Kind::MinimalWithRecord);
            let failed = message.is_letter && never_fails;
            require(!failed, ConsumerInvariant::RecordPatience, || format!("its record came: {message:?}"));
            let is_fair = self.climate == Climate::Fair;
            require(!is_fair || message.deliveries <= 1, ConsumerInvariant::NoNeedlessRedelivery, || {
                format!("{message:?}")
            });
        }
    }

    /// The consumer says that it has finished, now.
    pub(super) fn check_has_left(&self) {
        let Some(left_at) = self.left_at else { return };
        require(self.machine.is_finished(), ConsumerInvariant::Leaves, || {
            format!("it does not end: {:?}", self.machine.snapshot())
        });
        require(!self.calls.write, ConsumerInvariant::OneWrite, || "a write is broken off".into());
        let took = self.now.since(left_at.max(self.written_at));
        require(took < Duration::from_secs(10), ConsumerInvariant::Leaves, || format!("it took {took:?}"));
    }

    /// What was not done is in the queue, in its place.
    pub(super) fn check_all_is_back(&self) {
        let is_sorted = self.broker.queue.iter().is_sorted();
        require(is_sorted, ConsumerInvariant::OrderKept, || format!("{:?}", self.broker.queue));
        let gone = self.messages.iter().filter(|message| message.is_gone).count();
        let all = gone + self.broker.queue.len() == self.messages.len();
        require(all, ConsumerInvariant::NothingLost, || format!("{gone} are gone, {:?}", self.broker.queue));
    }
}
