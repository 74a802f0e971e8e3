//! What scenarios are played on: a consumer, a clock that stands still until it is moved, and short words.

use std::time::Duration;

use muster_core::pool::PoolTime;
use muster_intake::ClaimAnswer;
use muster_intake::rabbitmq::consumer::{
    ChannelNumber, ConsumerAction, ConsumerConfig, ConsumerEvent, ConsumerMachine, IncomingMessage,
    MessageContent,
};
use uuid::Uuid;

pub(crate) struct Stage {
    pub(crate) machine: ConsumerMachine,
    pub(crate) now: PoolTime,
    actions: Vec<ConsumerAction>,
    last_tag: u64,
}

impl Stage {
    /// A consumer that has just begun.
    pub(crate) fn new() -> Self {
        let config = ConsumerConfig {
            queue: "q".into(),
            default_max_attempts: 3,
            idempotency: std::time::Duration::from_secs(60),
            jitter_seed: 1,
        };
        let machine = ConsumerMachine::new(config, PoolTime::START);
        let mut stage = Self { machine, now: PoolTime::START, actions: Vec::new(), last_tag: 0 };
        stage.step(ConsumerEvent::Tick);
        stage
    }

    /// A consumer to which messages come, since so many slots are free.
    pub(crate) fn consuming(slots: usize) -> Self {
        let mut stage = Self::new();
        stage.opens(1);
        stage.slots(slots);
        stage.step(ConsumerEvent::ConsumerStarted { channel: ChannelNumber(1) });
        stage.actions.clear();
        stage
    }

    pub(crate) fn step(&mut self, event: ConsumerEvent) {
        self.machine.step(self.now, event, &mut self.actions);
    }

    pub(crate) fn opens(&mut self, channel: u64) {
        let channel = ChannelNumber(channel);
        self.step(ConsumerEvent::ChannelOpened { channel, differences: Vec::new() });
    }

    pub(crate) fn slots(&mut self, slots: usize) {
        self.step(ConsumerEvent::SlotsReserved { slots });
    }

    pub(crate) fn loses(&mut self, channel: u64) {
        self.step(ConsumerEvent::ChannelLost { channel: ChannelNumber(channel), reason: "lost".to_owned() });
    }

    /// Messages come on the first channel, and the cache has nothing to add.
    pub(crate) fn messages(&mut self, bodies: &[String]) {
        let tags = self.last_tag + 1..;
        let content = |body: &String| MessageContent::read(body.as_bytes());
        let messages = bodies.iter().zip(tags).map(|(body, tag)| IncomingMessage {
            tag,
            content: content(body),
            published_at: None,
        });
        let messages: Vec<IncomingMessage> = messages.collect();
        self.last_tag += messages.len() as u64;
        let named = messages.iter().filter(|message| matches!(message.content, MessageContent::Named { .. }));
        let named = named.count();
        self.step(ConsumerEvent::Delivered { channel: ChannelNumber(1), messages });
        if named > 0 {
            self.step(ConsumerEvent::RecordsRead(Some(vec![None; named])));
        }
    }

    pub(crate) fn claimed(&mut self, answers: &[ClaimAnswer]) {
        self.step(ConsumerEvent::Claimed(Ok(answers.to_vec())));
    }

    /// Lets time pass, ticking at each deadline on the way.
    pub(crate) fn wait_ms(&mut self, milliseconds: u64) {
        let target = self.now + Duration::from_millis(milliseconds);
        while let Some(deadline) = self.machine.next_deadline().filter(|deadline| *deadline <= target) {
            self.now = deadline;
            self.step(ConsumerEvent::Tick);
        }
        self.now = target;
        self.step(ConsumerEvent::Tick);
    }

    /// Everything wanted since this was last asked.
    pub(crate) fn wanted(&mut self) -> Vec<ConsumerAction> {
        std::mem::take(&mut self.actions)
    }

    /// The tags acknowledged since anything was last asked, by single acknowledgements as they went.
    pub(crate) fn acknowledged(&mut self) -> Vec<(u64, bool)> {
        let wanted = self.wanted();
        let acknowledgements = wanted.iter().filter_map(|action| {
            let ConsumerAction::Acknowledge(acknowledgements) = action else { return None };
            Some(acknowledgements.iter().map(|ack| (ack.tag, ack.multiple)))
        });
        acknowledgements.flatten().collect()
    }

    /// The executions claimed since anything was last asked, by claim.
    pub(crate) fn claims(&mut self) -> Vec<Vec<Uuid>> {
        let wanted = self.wanted();
        let claims = wanted.iter().filter_map(|action| {
            let ConsumerAction::Claim { executions } = action else { return None };
            Some(executions.iter().map(|execution| execution.id).collect())
        });
        claims.collect()
    }
}

pub(crate) fn whole(id: Uuid) -> String {
    format!(r#"{{"execution_id":"{id}","workflow":"w","parameters":{{}}}}"#)
}

pub(crate) fn minimal(id: Uuid) -> String {
    format!(r#"{{"execution_id":"{id}"}}"#)
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}
