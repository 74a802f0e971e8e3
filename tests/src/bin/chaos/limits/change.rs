//! What the limits said, and when: between the wish for a change and its answer it may be either.

/// What may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllowedRuns {
    pub(super) total: usize,
    pub(super) per_key: usize,
    /// In the second limit, which never changes.
    pub(super) mails: usize,
}

/// A change of the limits. The first is how they were set.
#[derive(Clone, Copy, Debug)]
pub(super) struct LimitChange {
    pub(super) asked_us: i64,
    pub(super) done_us: i64,
    pub(super) allowed: AllowedRuns,
}

impl LimitChange {
    /// The most that was allowed at any moment between two.
    pub(super) fn most(changes: &[Self], from: i64, to: i64) -> AllowedRuns {
        Self::folded(changes, from, to, usize::max, 0)
    }

    /// The least that may be allowed at a moment.
    pub(super) fn least(changes: &[Self], at: i64) -> AllowedRuns {
        Self::folded(changes, at, at, usize::min, usize::MAX)
    }

    fn folded(
        changes: &[Self],
        from: i64,
        to: i64,
        choose: fn(usize, usize) -> usize,
        start: usize,
    ) -> AllowedRuns {
        let ends = changes.iter().skip(1).map(|next| next.done_us).chain([i64::MAX]);
        let in_force = changes.iter().zip(ends).filter(|(change, end)| change.asked_us <= to && from <= *end);
        let none = AllowedRuns { total: start, per_key: start, mails: start };
        in_force.fold(none, |all, (LimitChange { allowed, .. }, _)| AllowedRuns {
            total: choose(all.total, allowed.total),
            per_key: choose(all.per_key, allowed.per_key),
            mails: choose(all.mails, allowed.mails),
        })
    }
}
