//! What always holds of an execution on its way from a message to its outcome, by name: the same names in
//! `CONTRIBUTING.md`, which has the reasons, in the tests and in the metric of violations.

crate::invariants! {
    /// Broken, executions are lost, run twice, or report the wrong end.
    pub enum DeliveryInvariant {
        /// The row is the truth, the message is a wake-up: acknowledged once its claim is committed, never before.
        RowBeforeAck = "delivery.row-before-ack",
        /// Every terminal write is fenced by execution, attempt and lease owner. A late outcome changes nothing.
        FencedWrite = "delivery.fenced-write",
        /// Finalization is one transaction, and everything that tells others comes after it.
        OneTransaction = "delivery.one-transaction",
        /// An idle worker is moved into an execution, not flagged; a dead one never comes back.
        OneOwner = "delivery.one-owner",
        /// No read of a worker's stream waits for a database, a broker or our own write.
        AlwaysReads = "delivery.always-reads",
        /// A complete Finished wins, whatever happens after it.
        FinishedWins = "delivery.finished-wins",
        /// The supervisor's names for errors are its own.
        OwnErrorNames = "delivery.own-error-names",
        /// A worker that cannot start is the pool's problem, never an execution's.
        StartIsThePools = "delivery.start-is-the-pools",
        /// A kill is addressed to one execution in one process.
        AddressedKill = "delivery.addressed-kill",
        /// The layout of a protocol message is frozen.
        FrozenLayout = "delivery.frozen-layout",
        /// Secrets travel in the execution's context only.
        SecretsInContext = "delivery.secrets-in-context",
    }
}
