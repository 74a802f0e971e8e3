//! What holds in one run of the model: the guards that stand, and how much goes wrong.

/// What the product does; each can be taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guards {
    /// A lost presence connection is closed before the lock is taken again.
    pub(super) closed_first: bool,
    /// Only writes of our own are contact.
    pub(super) only_writes: bool,
    /// A row that was locked when we looked is seen anew.
    pub(super) locked_is_not_overdue: bool,
    /// A renewal waits for who looks at its row.
    pub(super) renewal_waits: bool,
    /// A renewal that failed is tried again well within a period.
    pub(super) renewal_hurries: bool,
    /// What was written is known by attempt.
    pub(super) keyed_by_attempt: bool,
    /// A stray is looked up again before it is released.
    pub(super) strays_looked_up: bool,
    /// A beat is a life, whatever became of the lock.
    pub(super) beats_count: bool,
}

pub(super) const ALL: Guards = Guards {
    closed_first: true,
    only_writes: true,
    locked_is_not_overdue: true,
    renewal_waits: true,
    renewal_hurries: true,
    keyed_by_attempt: true,
    strays_looked_up: true,
    beats_count: true,
};

/// A run of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct ModelDelivery {
    pub(super) guards: Guards,
    /// So much goes wrong at most.
    pub(super) faults: u8,
    pub(super) attempts_max: u8,
}
