//! What an adapter must be able to do about limits inside one transaction.

use std::collections::HashSet;
use std::future::Future;

use muster_core::limit::LimitTerms;
use uuid::Uuid;

use super::admission::{LimitFill, WaitsFor};
use super::on_full::Entrant;
use super::{HeldLimit, LimitRecord, LimitUse};
use crate::Result;

/// An execution with a limit it is in.
pub(crate) type Holder = (Uuid, HeldLimit);

/// When the next start would come if all came evenly, and when somebody who waits is to be let go, in microseconds since
/// 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct RateTimes {
    pub(crate) next_at_us: i64,
    pub(crate) wake_at_us: Option<i64>,
}

/// How long one waits for limits that others decide about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockPatience {
    /// Others wait for what one has locked before, or for what one does next.
    Short,
    /// Nothing is locked before: one waits in turn as for [`Self::Long`], and for what comes next as for [`Self::Short`].
    First,
    /// Nobody waits: longer than one that falls silent keeps its locks. Who waits is served in turn.
    Long,
}

/// The part of a transaction that is about limits. Methods take no empty lists.
pub(crate) trait LimitSession: Send {
    /// Locks these limits against whoever else decides about them, in one order, until the transaction ends. A session
    /// that then falls silent loses them after a while.
    fn lock_limits(
        &mut self,
        names: &[&str],
        patience: LockPatience,
    ) -> impl Future<Output = Result<()>> + Send;

    /// What these limits say; those that nobody has set are left out.
    fn limits_named(&mut self, names: &[&str]) -> impl Future<Output = Result<Vec<LimitRecord>>> + Send;

    /// All limits that are set, by name.
    fn all_limits(&mut self) -> impl Future<Output = Result<Vec<LimitRecord>>> + Send;

    /// Sets what a limit says, and who says so.
    fn set_limit(
        &mut self,
        name: &str,
        terms: &LimitTerms,
        origin: &str,
    ) -> impl Future<Output = Result<LimitRecord>> + Send;

    /// Forgets what a limit says. False: nobody had set it.
    fn remove_limit(&mut self, name: &str) -> impl Future<Output = Result<bool>> + Send;

    /// How full these limits are for these keys.
    fn limit_fills(&mut self, held: &[HeldLimit]) -> impl Future<Output = Result<Vec<LimitFill>>> + Send;

    /// Notes who runs in which limits.
    fn hold(&mut self, holders: &[Holder]) -> impl Future<Output = Result<()>> + Send;

    /// Notes who is let in to limits and does not run yet.
    fn reserve(&mut self, holders: &[Holder]) -> impl Future<Output = Result<()>> + Send;

    /// Who is let in to these limits, and to these for their keys: what waits and what runs, the oldest first. Either list
    /// may be empty.
    fn entrants(
        &mut self,
        whole: &[&str],
        keyed: &[HeldLimit],
    ) -> impl Future<Output = Result<Vec<Entrant>>> + Send;

    /// Notes how the rates of limits stand for keys, and when whoever waits there is to be let go: of `wakes` whatever it
    /// says, else only what it says.
    fn put_rates(
        &mut self,
        rates: &[(HeldLimit, RateTimes)],
        wakes: bool,
    ) -> impl Future<Output = Result<()>> + Send;

    /// How long it is until somebody who waits for a rate is to be let go; less than nothing when it is time. `None`: nobody
    /// waits.
    fn next_rate(&mut self) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// For which limits and keys it is time, so many at most. They are given once.
    fn due_rates(&mut self, most: usize) -> impl Future<Output = Result<Vec<HeldLimit>>> + Send;

    /// Forgets so many keys of rates that nothing has started for in a while; gives how many.
    fn forget_rates(&mut self, most: usize) -> impl Future<Output = Result<usize>> + Send;

    /// Takes rows that wait out of the claim.
    fn park(&mut self, rows: &[(Uuid, WaitsFor)]) -> impl Future<Output = Result<()>> + Send;

    /// Strikes these from the limits they are in, unless they run. What waits again keeps its place in those that count whom
    /// they let in.
    fn release(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send;

    /// Gives back to the claim, in each queue, the next of those that wait for each of these: so many, less those that
    /// were given back and are not claimed yet. Gives how many these were.
    fn let_go(&mut self, room: &[(WaitsFor, u32)]) -> impl Future<Output = Result<usize>> + Send;

    /// Which of these are waited for.
    fn waited_for(&mut self, asked: &[WaitsFor]) -> impl Future<Output = Result<HashSet<String>>> + Send;

    /// Everything that is waited for from one text on to before another, so many at most.
    fn waited_for_between(
        &mut self,
        from: &str,
        to: &str,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Who is noted in a limit and does not run.
    fn left_holders(&mut self, most: usize) -> impl Future<Output = Result<Vec<Holder>>> + Send;

    /// Who runs with limits and is not noted in them.
    fn unnoted_holders(&mut self, most: usize) -> impl Future<Output = Result<Vec<Holder>>> + Send;

    /// How many run in each limit and wait for it; it stops counting at a hundred thousand.
    fn limit_uses(&mut self) -> impl Future<Output = Result<Vec<LimitUse>>> + Send;

    /// Some of those that run in a limit, for one key or for any.
    fn holders_of(
        &mut self,
        name: &str,
        key: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Uuid>>> + Send;

    /// How many wait for this before this one, in its queue, a thousand at most.
    fn before_at_limit(&mut self, id: Uuid, waits_for: &WaitsFor)
    -> impl Future<Output = Result<u64>> + Send;
}
