//! Listening, in the words of executions.

use bytes::Bytes;

use super::hub::{BusEvent, Subscription};
use super::messages::AddressedCommand;
use super::names::{Channel, Names};

/// Listens to some channels. Dropping it ends that.
#[derive(Debug)]
pub struct ChannelSubscription {
    subscription: Subscription,
    names: Names,
}

impl ChannelSubscription {
    pub(crate) fn new(subscription: Subscription, names: Names) -> Self {
        Self { subscription, names }
    }

    /// The next message; the channel's name comes without the prefix. Safe to cancel.
    pub async fn next(&mut self) -> BusEvent {
        match self.subscription.next().await {
            BusEvent::Message { channel, data } => {
                let channel = self.names.without_prefix(&channel).into();
                BusEvent::Message { channel, data }
            }
            BusEvent::Gap => BusEvent::Gap,
        }
    }

    /// Listens to these channels, too.
    pub async fn add(&mut self, channels: &[Channel]) {
        self.subscription.add_named(self.named(channels)).await;
    }

    /// Stops listening to these channels.
    pub fn remove(&mut self, channels: &[Channel]) {
        self.subscription.remove_named(&self.named(channels));
    }

    fn named(&self, channels: &[Channel]) -> Vec<String> {
        channels.iter().map(|channel| self.names.channel(channel)).collect()
    }
}

/// The commands that come in. What is no command is logged and passed over.
#[derive(Debug)]
pub struct CommandSubscription {
    watch: ChannelSubscription,
}

impl CommandSubscription {
    pub(crate) fn new(watch: ChannelSubscription) -> Self {
        Self { watch }
    }

    /// The next command. Safe to cancel. Commands of a time without connection are lost; a cancel is also a
    /// column of its row.
    pub async fn next(&mut self) -> AddressedCommand {
        loop {
            match self.watch.next().await {
                BusEvent::Gap => {}
                BusEvent::Message { channel, data } => {
                    if let Some(addressed) = read(&channel, &data) {
                        return addressed;
                    }
                }
            }
        }
    }
}

fn read(channel: &str, data: &Bytes) -> Option<AddressedCommand> {
    let from = if channel == "cancel" { Channel::Cancel } else { Channel::Command };
    match AddressedCommand::parse(from, data) {
        Ok(addressed) => Some(addressed),
        Err(error) => {
            tracing::warn!(channel, %error, message = %String::from_utf8_lossy(data), "not a command");
            None
        }
    }
}
