//! The connection: made, lost, and made again for ever.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use muster_core::pool::PoolTime;

use super::action::{ConsumerAction, ConsumerNotice};
use super::channel::ConsumerChannel;
use super::machine::ConsumerMachine;

/// The first pause between two tries to connect. It doubles with each further one, and is jittered upward.
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two tries to reach a broker that is away, without its jitter, which may double it: work is to go
/// on within two seconds of its return.
const AWAY_PAUSE_MAX: Duration = Duration::from_millis(600);
/// The same for a broker that lets us in and no consumer through: it is left in peace.
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(3);

/// The number of a channel, counting up: what is said about an earlier one is of no interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(pub u64);

/// How the consumer stands with the broker.
#[derive(Debug)]
pub(super) enum BrokerConnection {
    /// There is none, and the next is tried at this time.
    Waiting { until: PoolTime },
    /// It is being made.
    Opening(ChannelNumber),
    /// It stands.
    Open(ConsumerChannel),
    /// It stands, and nothing new is begun on it. Dead letters on their way are waited for until then.
    Leaving { channel: ConsumerChannel, until: PoolTime },
    /// It was asked to close.
    Closing(ChannelNumber),
    /// The consumer is gone, and does not come back.
    Left,
}

impl BrokerConnection {
    /// The channel on which new things may be begun.
    pub(super) fn open_channel(&mut self) -> Option<&mut ConsumerChannel> {
        match self {
            Self::Open(channel) => Some(channel),
            Self::Waiting { .. }
            | Self::Opening(_)
            | Self::Leaving { .. }
            | Self::Closing(_)
            | Self::Left => None,
        }
    }

    /// The channel on which what was begun may be finished.
    pub(super) fn live_channel(&mut self) -> Option<&mut ConsumerChannel> {
        match self {
            Self::Open(channel) | Self::Leaving { channel, .. } => Some(channel),
            Self::Waiting { .. } | Self::Opening(_) | Self::Closing(_) | Self::Left => None,
        }
    }

    /// The channel there is or will be.
    pub(super) fn number(&self) -> Option<ChannelNumber> {
        match self {
            Self::Open(channel) | Self::Leaving { channel, .. } => Some(channel.number),
            Self::Opening(number) | Self::Closing(number) => Some(*number),
            Self::Waiting { .. } | Self::Left => None,
        }
    }
}

/// The pauses between tries to connect, and what was told about the trouble.
#[derive(Debug)]
pub(super) struct Reconnects {
    seed: u64,
    away: ExponentialBackoff,
    refused: ExponentialBackoff,
    told: String,
}

impl Reconnects {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            away: pauses(seed, AWAY_PAUSE_MAX),
            refused: pauses(seed, REFUSED_PAUSE_MAX),
            told: String::new(),
        }
    }

    /// The pause after a try that came to a connection, or did not.
    fn pause(&mut self, was_open: bool) -> Duration {
        let (pauses, most) = match was_open {
            true => (&mut self.refused, REFUSED_PAUSE_MAX),
            false => (&mut self.away, AWAY_PAUSE_MAX),
        };
        pauses.next().unwrap_or(most)
    }

    /// The trouble is over: the next one begins with a short pause and a word.
    fn recovered(&mut self) {
        self.seed = self.seed.wrapping_add(1);
        *self = Self::new(self.seed);
    }
}

/// Rising, jittered, without end. The jitter is drawn from the seed, so the same events give the same pauses.
fn pauses(seed: u64, most: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(RECONNECT_PAUSE_MIN)
        .with_max_delay(most)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build()
}

impl ConsumerMachine {
    /// Tries to connect when it is time.
    pub(super) fn connect(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        let BrokerConnection::Waiting { until } = self.connection else { return };
        if until <= now {
            self.last_channel.0 += 1;
            self.connection = BrokerConnection::Opening(self.last_channel);
            actions.push(ConsumerAction::OpenChannel { channel: self.last_channel });
        }
    }

    pub(super) fn channel_opened(
        &mut self,
        number: ChannelNumber,
        differences: Vec<String>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let BrokerConnection::Opening(awaited) = self.connection else { return };
        if awaited != number {
            return;
        }
        self.connection = BrokerConnection::Open(ConsumerChannel::new(number));
        self.health.problem = None;
        // Told once, and not with each new connection.
        if self.health.differences != differences {
            let told = differences.iter().cloned().map(ConsumerNotice::Difference);
            actions.extend(told.map(ConsumerAction::Notify));
            self.health.differences = differences;
        }
    }

    /// The channel is gone with all that was open on it: the broker delivers it again.
    pub(super) fn channel_lost(
        &mut self,
        now: PoolTime,
        number: ChannelNumber,
        reason: String,
        actions: &mut Vec<ConsumerAction>,
    ) {
        if self.connection.number() != Some(number) {
            return;
        }
        self.forget_channel(actions);
        actions.push(ConsumerAction::DropChannel);
        let was_confirmed = std::mem::replace(&mut self.health.confirmed, false);
        let was_open = match self.connection {
            BrokerConnection::Leaving { .. } | BrokerConnection::Closing(_) | BrokerConnection::Left => None,
            BrokerConnection::Waiting { .. } | BrokerConnection::Opening(_) => Some(false),
            BrokerConnection::Open(_) => Some(true),
        };
        // A connection proves nothing: only a consumer that was confirmed ends the trouble.
        if was_confirmed {
            self.reconnects.recovered();
        }
        self.connection = match was_open {
            None => BrokerConnection::Left,
            Some(was_open) => {
                let until = now + self.pause(was_open, &reason, actions);
                BrokerConnection::Waiting { until }
            }
        };
        self.health.problem = Some(reason);
    }

    /// After how long to try again, and a word about it.
    fn pause(&mut self, was_open: bool, reason: &str, actions: &mut Vec<ConsumerAction>) -> Duration {
        if self.reconnects.told != reason {
            reason.clone_into(&mut self.reconnects.told);
            let notice = ConsumerNotice::NothingConsumed { reason: reason.to_owned() };
            actions.push(ConsumerAction::Notify(notice));
        }
        let retry_in = self.reconnects.pause(was_open);
        let notice = ConsumerNotice::Reconnecting { reason: reason.to_owned(), retry_in };
        actions.push(ConsumerAction::Notify(notice));
        retry_in
    }

    /// Forgets what was open on the channel. Calls that are under way are not broken off.
    pub(super) fn forget_channel(&mut self, actions: &mut Vec<ConsumerAction>) {
        self.abandon_slots(actions);
        self.write.abandon();
        self.records.abandon();
        self.rows.abandon();
        self.dead_letters.call.abandon();
        self.health.consuming = false;
        self.health.waiting_for_records = 0;
    }
}
