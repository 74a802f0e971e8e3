//! What the consumer wants of the broker, on its way there and back. Either way what was sent first arrives first.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_intake::rabbitmq::consumer::{
    Acknowledgement, ChannelNumber, ConsumerEvent, ConsumerInvariant, IncomingMessage, MessageContent,
};

use super::{Happening, Request, Shell, ShellConsumer, World};
use crate::simulator::{ms, require};

/// When the consumer is told.
enum Heard {
    Now,
    Never,
    In(Duration),
}

impl World {
    pub(super) fn open_channel(&mut self, number: ChannelNumber) {
        assert!(self.shell.is_none(), "a channel is opened beside another");
        self.check_pause();
        self.shell = Some(Shell {
            number,
            is_open: false,
            consumer: ShellConsumer::None,
            open: BTreeMap::new(),
            may_be_dropped: false,
            is_closing: false,
        });
        self.cache.forget_denials();
        self.send_to_broker(number, Request::Open);
    }

    pub(super) fn drop_channel(&mut self) {
        let Some(shell) = self.shell.take() else { panic!("there is no channel to drop") };
        let is_allowed = shell.may_be_dropped || (self.left_at.is_some() && !shell.is_open);
        require(is_allowed, ConsumerInvariant::NoNeedlessRedelivery, || {
            "a channel is dropped that is well".into()
        });
        self.broker.end(shell.number);
    }

    pub(super) fn close_channel(&mut self) {
        require(self.left_at.is_some(), ConsumerInvariant::NoNeedlessRedelivery, || {
            "a close without leaving".into()
        });
        let shell = self.shell();
        shell.is_closing = true;
        let number = shell.number;
        let is_written = self.calls.write && self.calls.write_channel == Some(number);
        require(!is_written, ConsumerInvariant::NoNeedlessRedelivery, || {
            "a write is not acknowledged".into()
        });
        self.send_to_broker(number, Request::Close);
    }

    pub(super) fn start_consumer(&mut self, window: u16) {
        let shell = self.shell();
        assert!(shell.is_open && shell.consumer == ShellConsumer::None, "a consumer beside another");
        assert!((1..=1024).contains(&window), "a window of {window}");
        shell.consumer = ShellConsumer::Starting;
        let number = shell.number;
        self.send_to_broker(number, Request::Consume { window });
    }

    pub(super) fn stop_consumer(&mut self) {
        let shell = self.shell();
        assert!(shell.consumer == ShellConsumer::Running, "no consumer to stop");
        shell.consumer = ShellConsumer::Stopping;
        let number = shell.number;
        self.send_to_broker(number, Request::Cancel);
    }

    pub(super) fn acknowledge(&mut self, acknowledgements: &[Acknowledgement]) {
        for ack in acknowledgements {
            let shell = self.shell();
            let is_open = shell.open.contains_key(&ack.tag) && !shell.is_closing;
            require(is_open, ConsumerInvariant::AckOnce, || format!("tag {} is not open", ack.tag));
            let from = if ack.multiple { 0 } else { ack.tag };
            let tags: Vec<u64> = shell.open.range(from..=ack.tag).map(|(tag, _)| *tag).collect();
            let done: Vec<usize> =
                tags.iter().filter_map(|tag| shell.open.remove(tag)).map(|(message, _)| message).collect();
            let number = shell.number;
            done.into_iter().for_each(|message| self.check_acknowledged(message));
            self.send_to_broker(number, Request::Acknowledge(*ack));
        }
    }

    fn shell(&mut self) -> &mut Shell {
        self.shell.as_mut().unwrap_or_else(|| panic!("there is no channel"))
    }

    fn send_to_broker(&mut self, number: ChannelNumber, request: Request) {
        self.reaches_broker = self.reaches_broker.max(self.now + ms(&mut self.rng, 0, 20));
        self.agenda.enter(self.reaches_broker, Happening::AtBroker(number, request));
    }

    pub(super) fn send_to_consumer(&mut self, number: ChannelNumber, after: Duration, event: ConsumerEvent) {
        self.reaches_consumer = self.reaches_consumer.max(self.now + after + ms(&mut self.rng, 0, 20));
        self.agenda.enter(self.reaches_consumer, Happening::FromBroker(number, event));
    }

    pub(super) fn at_broker(&mut self, number: ChannelNumber, request: Request) {
        match request {
            Request::Open => self.opens(number),
            Request::Consume { .. }
                if self.broker.channel(number).is_some() && self.broker.refuses_consumers =>
            {
                // A queue without a leader does not answer; another refusal comes at once.
                let after = if self.rng.bool() { Duration::from_secs(5) } else { Duration::ZERO };
                let problem = "no consumer".to_owned();
                let refused =
                    ConsumerEvent::ConsumerRefused { channel: number, reason: problem.clone(), problem };
                self.schedule(after, Happening::FromBroker(number, refused));
            }
            Request::Consume { window } => {
                if self.broker.channel(number).is_some() {
                    self.broker.consume(number, window);
                    let started = ConsumerEvent::ConsumerStarted { channel: number };
                    self.send_to_consumer(number, Duration::ZERO, started);
                }
            }
            Request::Cancel => {
                if let Some(channel) = self.broker.channel(number) {
                    channel.consumer = None;
                    let stopped = ConsumerEvent::ConsumerStopped { channel: number };
                    self.send_to_consumer(number, Duration::ZERO, stopped);
                }
            }
            Request::Acknowledge(ack) => {
                for message in self.broker.acknowledge(number, ack) {
                    self.forget_message(message);
                }
            }
            Request::Close => {
                // The shell gives up waiting for a broker that does not answer.
                let answers = self.broker.channel(number).is_some();
                let after = if answers { Duration::ZERO } else { Duration::from_secs(5) };
                self.broker.end(number);
                self.send_to_consumer(number, after, ConsumerEvent::ChannelClosed { channel: number });
            }
        }
        self.pump();
    }

    fn opens(&mut self, number: ChannelNumber) {
        if self.shell.as_ref().is_none_or(|shell| shell.number != number) {
            return;
        }
        if self.broker.is_away {
            let after = ms(&mut self.rng, 0, 3_000);
            return self.loses(number, after, "out of reach");
        }
        self.broker.open(number);
        let differences = if self.rng.u8(..) < 20 { vec!["other arguments".to_owned()] } else { Vec::new() };
        let opened = ConsumerEvent::ChannelOpened { channel: number, differences };
        self.send_to_consumer(number, Duration::ZERO, opened);
    }

    pub(super) fn loses(&mut self, number: ChannelNumber, after: Duration, reason: &str) {
        let lost = ConsumerEvent::ChannelLost { channel: number, reason: reason.to_owned() };
        self.schedule(after, Happening::FromBroker(number, lost));
    }

    /// The broker sends what it may.
    pub(super) fn pump(&mut self) {
        let sent = self.broker.deliver();
        let Some(number) = self.broker.channel.as_ref().map(|channel| channel.number) else { return };
        if sent.is_empty() {
            return;
        }
        for (_, message) in &sent {
            self.messages[*message].deliveries += 1;
        }
        let batch = self.rng.usize(1..=4);
        for some in sent.chunks(batch) {
            self.reaches_consumer = self.reaches_consumer.max(self.now + ms(&mut self.rng, 0, 5));
            self.agenda.enter(self.reaches_consumer, Happening::Delivery(number, some.to_vec()));
        }
    }

    /// What a channel that was given up still says may reach the consumer, however late, and it must not care.
    fn is_heard(&mut self, number: ChannelNumber) -> Heard {
        if self.shell.as_ref().is_some_and(|shell| shell.number == number) {
            return Heard::Now;
        }
        match self.rng.u8(0..3) {
            0 => Heard::Never,
            1 => Heard::Now,
            _ => Heard::In(ms(&mut self.rng, 0, 3_000)),
        }
    }

    pub(super) fn delivery(&mut self, number: ChannelNumber, sent: &[(u64, usize)]) {
        match self.is_heard(number) {
            Heard::Now => {}
            Heard::Never => return,
            Heard::In(after) => return self.schedule(after, Happening::Delivery(number, sent.to_vec())),
        }
        let content = |message: usize| MessageContent::read(&self.messages[message].body);
        let messages = sent.iter().map(|(tag, number)| IncomingMessage {
            tag: *tag,
            content: content(*number),
            published_at: None,
        });
        let event = ConsumerEvent::Delivered { channel: number, messages: messages.collect() };
        if let Some(shell) = self.shell.as_mut().filter(|shell| shell.number == number) {
            shell.open.extend(sent.iter().map(|(tag, message)| (*tag, (*message, self.now))));
        }
        self.step(event);
    }

    pub(super) fn broker_says(&mut self, number: ChannelNumber, event: ConsumerEvent) {
        match self.is_heard(number) {
            Heard::Now => {}
            Heard::Never => return,
            Heard::In(after) => return self.schedule(after, Happening::FromBroker(number, event)),
        }
        let mut is_closed = false;
        if let Some(shell) = self.shell.as_mut().filter(|shell| shell.number == number) {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the other events are not the broker's")]
            match &event {
                ConsumerEvent::ChannelOpened { .. } => shell.is_open = true,
                ConsumerEvent::ConsumerStarted { .. } => shell.consumer = ShellConsumer::Running,
                ConsumerEvent::ConsumerStopped { .. } => shell.consumer = ShellConsumer::None,
                ConsumerEvent::ChannelLost { .. } | ConsumerEvent::ConsumerRefused { .. } => {
                    shell.may_be_dropped = true;
                    self.lost_at = Some(self.now);
                }
                ConsumerEvent::ChannelClosed { .. } => is_closed = true,
                other => panic!("{other:?} is not the broker's"),
            }
        }
        if is_closed {
            self.shell = None;
        }
        self.step(event);
    }
}
