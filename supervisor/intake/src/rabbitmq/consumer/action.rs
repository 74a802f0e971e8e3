//! What the consumer wants done. The shell does each, in order, and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{ExecutionFailure, NewExecution};
use uuid::Uuid;

use super::acks::Acknowledgement;
use super::connection::ChannelNumber;

/// What the shell is to do, in the order in which the machine gives it.
#[derive(Clone, Debug)]
pub enum ConsumerAction {
    /// Connect, declare the queues and open a channel. It answers with ChannelOpened or ChannelLost.
    OpenChannel {
        /// The number the new channel goes by.
        channel: ChannelNumber,
    },
    /// Forget the connection and everything on it, whether it stands or is being made.
    DropChannel,
    /// Close the channel, which puts what is open on it back in its place, and then the connection.
    CloseChannel,
    /// Ask for deliveries. It answers with ConsumerStarted or ConsumerRefused.
    StartConsumer {
        /// How many messages may be on their way at once.
        window: u16,
    },
    /// Ask for no more deliveries. It answers with ConsumerStopped, after the last of them.
    StopConsumer,
    /// Acknowledge deliveries of the open channel.
    Acknowledge(Vec<Acknowledgement>),
    /// Wait for at least one free slot. It answers with SlotsReserved.
    ReserveSlots {
        /// How many slots are of use right now.
        most: usize,
    },
    /// Do not wait for slots any longer.
    AbandonSlots,
    /// Give back the slots that were just reserved.
    ReleaseSlots,
    /// Claim these with the slots that were just reserved, and give back those beyond. It answers with Claimed.
    Claim {
        /// No execution is among them twice.
        executions: Vec<Arc<NewExecution>>,
    },
    /// Leave these as PENDING rows for whoever has a slot first. It answers with KeptAsRows.
    KeepAsRows {
        /// No execution is among them twice.
        executions: Vec<Arc<NewExecution>>,
    },
    /// Ask the cache for pending records. It answers with RecordsRead.
    ReadRecords {
        /// The ids of the executions.
        ids: Vec<Uuid>,
    },
    /// Ask the store for rows. It answers with RowsRead.
    ReadRows {
        /// The ids of the executions.
        ids: Vec<Uuid>,
    },
    /// Record that executions failed for want of a usable message. It answers with FailuresRecorded.
    RecordFailures(Vec<UnrecordedFailure>),
    /// Send the outcome of the execution `existing`, once it has one, to whoever waits for the reply of this message.
    /// Nothing is answered.
    ReplyWith {
        /// The id that the message gave.
        execution_id: Uuid,
        /// The execution that has its idempotency key.
        existing: Uuid,
    },
    /// Publish messages to the dead-letter exchange and wait for confirmation. It answers with DeadLettersPublished.
    PublishDeadLetters(Vec<LetterReason>),
    /// A person should read of this in the log.
    Notify(ConsumerNotice),
}

/// An execution that fails for want of a usable message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnrecordedFailure {
    /// The execution that cannot run.
    pub execution_id: Uuid,
    /// The failure its row gets.
    pub failure: ExecutionFailure,
    /// Whether somebody waits for the reply.
    pub sync: bool,
}

/// A message that goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterReason {
    /// The tag it was delivered with.
    pub tag: u64,
    /// The text of the header that says why.
    pub reason: String,
}

/// What a person may want to know: for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerNotice {
    /// The broker is not set up as expected.
    Difference(String),
    /// The first consumer of a connection was confirmed.
    Consuming,
    /// Nothing is consumed, for a reason that was not told yet.
    NothingConsumed {
        /// What the broker said.
        reason: String,
    },
    /// The next try to connect comes later.
    Reconnecting {
        /// What the connection failed with.
        reason: String,
        /// How long it is until the next try.
        retry_in: Duration,
    },
    /// The store did not answer a claim, which is tried again.
    CannotClaim {
        /// What the store said.
        error: String,
        /// How many messages wait for it.
        waiting: usize,
    },
    /// The store did not take messages as rows, which is tried again.
    CannotKeep {
        /// What the store said.
        error: String,
        /// How many messages wait for it.
        waiting: usize,
    },
    /// Messages that found no slot in time wait as rows.
    KeptAsRows {
        /// The number of executions.
        count: usize,
    },
    /// The store could not say whether a message that says nothing but its id has a row.
    WaitsForStore {
        /// What the store said.
        error: String,
    },
    /// Messages wait for their pending record in a cache that is out of reach.
    WaitsForRecords {
        /// The number of messages that wait.
        count: usize,
    },
    /// No message waits for an unreachable cache any more.
    RecordsAreBack,
    /// A message was put among the dead letters.
    DeadLettered {
        /// The execution it was meant for, if it names one.
        execution_id: Option<Uuid>,
        /// Why it can never be used.
        reason: String,
    },
    /// Messages could not be dead-lettered, which is tried again.
    CannotDeadLetter {
        /// What the broker said.
        problem: String,
        /// How many messages wait for it.
        waiting: usize,
    },
}
