//! A world: virtual time, the agenda of what will happen, and a consumer that lives in it.
//!
//! What happens is in rooms of its own: what comes and what breaks (`troubles`), what the consumer wants of the broker
//! (`at_broker`) and of the store, the cache and the dead letters (`calls`), and what must hold (`checks`).

mod at_broker;
mod calls;
mod checks;
mod happening;
mod troubles;

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use happening::{Call, Happening, Request, Shell, ShellConsumer};
use muster_core::pool::PoolTime;
use muster_intake::rabbitmq::consumer::{
    ConsumerAction, ConsumerConfig, ConsumerEvent, ConsumerMachine, LetterReason,
};

use super::broker::Broker;
use super::message::Message;
use super::slots::Slots;
use super::store::{Cache, Store};
use crate::simulator::{Agenda, Schedule, ms};

/// What kind of world it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Climate {
    /// Everything breaks.
    Rough,
    /// Only slots run short.
    Fair,
}

pub(crate) struct World {
    rng: Rng,
    climate: Climate,
    machine: ConsumerMachine,
    now: PoolTime,
    actions: Vec<ConsumerAction>,
    agenda: Agenda<Happening>,
    messages: Vec<Message>,
    /// Those that the broker still has, and those of them that no dead-letter exchange takes.
    open_messages: usize,
    open_poison: usize,
    broker: Broker,
    store: Store,
    cache: Cache,
    slots: Slots,
    shell: Option<Shell>,
    /// What was sent before arrives before.
    reaches_broker: PoolTime,
    reaches_consumer: PoolTime,
    calls: calls::InFlight,
    commands_left: u32,
    ended_at: Option<PoolTime>,
    /// The store has failed somebody.
    store_trouble: PoolTime,
    left_at: Option<PoolTime>,
    /// When the store last answered a write.
    written_at: PoolTime,
    /// When a channel was last lost.
    lost_at: Option<PoolTime>,
    met: BTreeMap<&'static str, u64>,
    trace: Option<Vec<String>>,
    steps: u64,
}

impl World {
    pub(crate) fn new(seed: u64, climate: Climate, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let config = ConsumerConfig {
            queue: "q".into(),
            default_max_attempts: 3,
            idempotency: std::time::Duration::from_secs(60),
            jitter_seed: seed,
        };
        let slots = Slots::new(rng.usize(1..=8));
        let commands_left = rng.u32(10..50);
        let mut met: BTreeMap<&'static str, u64> = calls::WORDS.into_iter().map(|word| (word, 0)).collect();
        met.extend(troubles::ALL.map(|trouble| (trouble.name(), 0)));
        Self {
            rng,
            climate,
            machine: ConsumerMachine::new(config, PoolTime::START),
            now: PoolTime::START,
            actions: Vec::new(),
            agenda: Agenda::new(),
            messages: Vec::new(),
            open_messages: 0,
            open_poison: 0,
            broker: Broker::default(),
            store: Store::default(),
            cache: Cache::default(),
            slots,
            shell: None,
            reaches_broker: PoolTime::START,
            reaches_consumer: PoolTime::START,
            calls: calls::InFlight::default(),
            commands_left,
            ended_at: None,
            store_trouble: PoolTime::START,
            left_at: None,
            written_at: PoolTime::START,
            lost_at: None,
            met,
            trace: is_traced.then(Vec::new),
            steps: 0,
        }
    }

    /// How often each trouble and each answer was met.
    pub(crate) fn met(&self) -> &BTreeMap<&'static str, u64> {
        &self.met
    }

    fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_insert(0) += 1;
    }

    /// Plays on until this holds, or for so long.
    fn play_until(&mut self, limit: Duration, is_over: impl Fn(&Self) -> bool) -> bool {
        let (until, steps) = (self.now + limit, self.steps);
        while !is_over(self) {
            assert!(self.steps - steps < 100_000, "the consumer does not come to rest");
            let deadline = self.machine.next_deadline();
            let (time, is_tick) = match (self.agenda.next_time(), deadline) {
                (None, None) => return false,
                (Some(time), Some(deadline)) if deadline < time => (deadline, true),
                (None, Some(deadline)) => (deadline, true),
                (Some(time), _) => (time, false),
            };
            if time > until {
                self.now = until;
                return is_over(self);
            }
            if is_tick {
                self.tick(time);
            } else if let Some((time, happening)) = self.agenda.pop() {
                self.now = self.now.max(time);
                self.happens(happening);
            }
        }
        true
    }

    fn tick(&mut self, deadline: PoolTime) {
        // The shell's clock is never exactly on time.
        let late = if self.rng.bool() { Duration::ZERO } else { ms(&mut self.rng, 0, 3) };
        let next = self.agenda.next_time();
        self.now = next.map_or(deadline + late, |next| next.min(deadline + late)).max(self.now);
        self.step(ConsumerEvent::Tick);
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Command => self.command(),
            Happening::Fixed(trouble) => self.fixed(trouble),
            Happening::AtBroker(channel, request) => self.at_broker(channel, request),
            Happening::FromBroker(channel, event) => self.broker_says(channel, event),
            Happening::Delivery(channel, messages) => self.delivery(channel, &messages),
            Happening::SlotsMayBeFree => self.give_slots(),
            Happening::RunEnds => {
                self.slots.give_back(1);
                self.give_slots();
            }
            Happening::Answer(call) => self.answer(call),
        }
    }

    /// The broker has no message of this number any more.
    fn forget_message(&mut self, number: usize) {
        let message = &mut self.messages[number];
        message.is_gone = true;
        self.open_messages -= 1;
        self.open_poison -= usize::from(message.is_poison);
    }

    fn give_slots(&mut self) {
        if let Some(slots) = self.slots.give() {
            self.step(ConsumerEvent::SlotsReserved { slots });
            self.slots.check_used();
        }
    }

    fn step(&mut self, event: ConsumerEvent) {
        let at = self.now.since_start();
        self.note(|| format!("{at:>10.3?} {event:?}"));
        let mut actions = std::mem::take(&mut self.actions);
        self.machine.step(self.now, event, &mut actions);
        self.steps += 1;
        for action in actions.drain(..) {
            self.note(|| format!("           -> {action:?}"));
            self.carry_out(action);
        }
        self.actions = actions;
        self.check();
    }

    fn carry_out(&mut self, action: ConsumerAction) {
        self.check_may_begin(&action);
        match action {
            ConsumerAction::OpenChannel { channel } => self.open_channel(channel),
            ConsumerAction::DropChannel => self.drop_channel(),
            ConsumerAction::CloseChannel => self.close_channel(),
            ConsumerAction::StartConsumer { window } => self.start_consumer(window),
            ConsumerAction::StopConsumer => self.stop_consumer(),
            ConsumerAction::Acknowledge(acknowledgements) => self.acknowledge(&acknowledgements),
            ConsumerAction::ReserveSlots { most } => {
                self.slots.want(most, self.now);
                self.schedule(Duration::ZERO, Happening::SlotsMayBeFree);
            }
            ConsumerAction::AbandonSlots => self.slots.abandon(),
            ConsumerAction::ReleaseSlots => {
                self.slots.release();
                self.schedule(Duration::ZERO, Happening::SlotsMayBeFree);
            }
            ConsumerAction::Claim { executions } => self.claim(executions),
            ConsumerAction::KeepAsRows { executions } => self.keep_as_rows(executions),
            ConsumerAction::ReadRecords { ids } => self.read_records(ids),
            ConsumerAction::ReadRows { ids } => self.read_rows(ids),
            ConsumerAction::RecordFailures(failures) => self.record_failures(failures),
            ConsumerAction::PublishDeadLetters(letters) => self.publish_dead_letters(&letters),
            ConsumerAction::ReplyWith { .. } | ConsumerAction::Notify(_) => {}
        }
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.agenda.enter(self.now + after, happening);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    fn numbers(&self, letters: &[LetterReason]) -> Vec<usize> {
        let number = |letter: &LetterReason| {
            let shell = self.shell.as_ref().unwrap();
            shell.open.get(&letter.tag).unwrap_or_else(|| panic!("tag {} is not open", letter.tag)).0
        };
        letters.iter().map(number).collect()
    }
}

impl Schedule for World {
    /// Plays the whole schedule: troubles, then everything works again, then leaving with work in hand.
    fn run(&mut self) {
        self.schedule(Duration::ZERO, Happening::Command);
        self.step(ConsumerEvent::Tick);
        self.play_until(Duration::from_secs(3_600), |world| world.ended_at.is_some());
        self.play_until(Duration::from_secs(600), World::all_but_poison_is_done);
        self.check_nothing_is_lost(World::all_but_poison_is_done);
        self.messages.iter_mut().for_each(|message| message.is_poison = false);
        self.open_poison = 0;
        self.play_until(Duration::from_secs(60), World::all_is_done);
        self.check_nothing_is_lost(World::all_is_done);
        self.publish_some(12);
        let a_moment = ms(&mut self.rng, 0, 400);
        self.play_until(a_moment, |_| false);
        if self.climate == Climate::Rough {
            self.any_trouble();
        }
        self.left_at = Some(self.now);
        self.step(ConsumerEvent::Leave);
        self.play_until(Duration::from_secs(60), |world| world.machine.is_finished());
        self.check_has_left();
        self.play_until(Duration::from_secs(10), |_| false);
        self.check_all_is_back();
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn trace(&self) -> Vec<String> {
        self.trace.clone().unwrap_or_default()
    }
}
