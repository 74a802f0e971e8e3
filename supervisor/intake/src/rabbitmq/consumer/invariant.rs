//! What always holds of the consumer, by name: the same names in `CONSUMER.md`, in the simulation, in its
//! failures and in the metric of violations.

muster_core::invariants! {
    /// Something that holds after every step, whatever the broker, the store and the cache do.
    pub enum ConsumerInvariant {
        /// A message is acknowledged only when a row of its execution is committed, or it is a confirmed dead letter.
        RowBeforeAck = "consumer.row-before-ack",
        /// A message becomes a dead letter only after its execution, if it names one, has a row.
        RowBeforeLetter = "consumer.row-before-letter",
        /// Only open deliveries of the open channel are acknowledged, each once.
        AckOnce = "consumer.ack-once",
        /// The store is asked to write one thing at a time, and a write is never broken off.
        OneWrite = "consumer.one-write",
        /// Reserved slots are used or given back in the same step, and nobody waits for slots twice.
        SlotsAccounted = "consumer.slots-accounted",
        /// A claim names no more executions than there are reserved slots, and none twice.
        ClaimFits = "consumer.claim-fits",
        /// An open delivery is at exactly one station.
        OneStation = "consumer.one-station",
        /// No deliveries are asked for while no slot is free for longer than the grace.
        NoSlotNoDelivery = "consumer.no-slot-no-delivery",
        /// A delivery that could be claimed is claimed or kept as a row in bounded time while the store answers.
        HeldBriefly = "consumer.held-briefly",
        /// `PendingNotFound` takes a row that is not there and a cache that has denied the record for the whole patience.
        RecordPatience = "consumer.record-patience",
        /// What goes back to the queue goes back to its place.
        OrderKept = "consumer.order-kept",
        /// A channel is given up only when it is lost, refused, or left.
        NoNeedlessRedelivery = "consumer.no-needless-redelivery",
        /// A lost connection is made again, after a pause that is never shorter or longer than its bounds.
        Reconnects = "consumer.reconnects",
        /// Leaving ends in bounded time once the store has answered, and nothing is begun meanwhile.
        Leaves = "consumer.leaves",
        /// Once everything works again every message has a row or is a dead letter.
        NothingLost = "consumer.nothing-lost",
        /// The next deadline is in the future.
        NeverSpins = "consumer.never-spins",
    }
}
