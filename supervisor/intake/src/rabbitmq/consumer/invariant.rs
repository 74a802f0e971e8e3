//! What always holds of the consumer, by name: the same names in `CONSUMER.md`, in the simulation and in its failures.

/// Something that holds after every step, whatever the broker, the store and the cache do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsumerInvariant {
    /// A message is acknowledged only when a row of its execution is committed, or it is a confirmed dead letter.
    RowBeforeAck,
    /// A message becomes a dead letter only after its execution, if it names one, has a row.
    RowBeforeLetter,
    /// Only open deliveries of the open channel are acknowledged, each once.
    AckOnce,
    /// The store is asked to write one thing at a time, and a write is never broken off.
    OneWrite,
    /// Reserved slots are used or given back in the same step, and nobody waits for slots twice.
    SlotsAccounted,
    /// A claim names no more executions than there are reserved slots, and none twice.
    ClaimFits,
    /// An open delivery is at exactly one station.
    OneStation,
    /// No deliveries are asked for while no slot is free for longer than the grace.
    NoSlotNoDelivery,
    /// A delivery that could be claimed is claimed or kept as a row in bounded time while the store answers.
    HeldBriefly,
    /// `PendingNotFound` takes a row that is not there and a cache that has denied the record for the whole patience.
    RecordPatience,
    /// What goes back to the queue goes back to its place.
    OrderKept,
    /// A channel is given up only when it is lost, refused, or left.
    NoNeedlessRedelivery,
    /// A lost connection is made again, after a pause that is never shorter or longer than its bounds.
    Reconnects,
    /// Leaving ends in bounded time once the store has answered, and nothing is begun meanwhile.
    Leaves,
    /// Once everything works again every message has a row or is a dead letter.
    NothingLost,
    /// The next deadline is in the future.
    NeverSpins,
}

impl ConsumerInvariant {
    /// The name it goes by.
    pub const fn id(self) -> &'static str {
        match self {
            Self::RowBeforeAck => "consumer.row-before-ack",
            Self::RowBeforeLetter => "consumer.row-before-letter",
            Self::AckOnce => "consumer.ack-once",
            Self::OneWrite => "consumer.one-write",
            Self::SlotsAccounted => "consumer.slots-accounted",
            Self::ClaimFits => "consumer.claim-fits",
            Self::OneStation => "consumer.one-station",
            Self::NoSlotNoDelivery => "consumer.no-slot-no-delivery",
            Self::HeldBriefly => "consumer.held-briefly",
            Self::RecordPatience => "consumer.record-patience",
            Self::OrderKept => "consumer.order-kept",
            Self::NoNeedlessRedelivery => "consumer.no-needless-redelivery",
            Self::Reconnects => "consumer.reconnects",
            Self::Leaves => "consumer.leaves",
            Self::NothingLost => "consumer.nothing-lost",
            Self::NeverSpins => "consumer.never-spins",
        }
    }
}
