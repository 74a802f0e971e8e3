//! Intake from the store: rows that wait, and rows whose supervisor is lost.

use std::sync::Arc;
use std::time::Duration;

use muster_bus::Bus;
use muster_store::{Claimant, ServedQueues, Store, TakeOver, WaitingStore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::dispatcher::Dispatcher;
use super::peers::PeerWatch;
use super::slots::{SlotReservation, Slots};
use crate::liveness::{Liveness, VitalLoop};
use crate::notify::sweep::notify_rows;

/// A poll takes up to so many at once.
const CLAIM_MAX: usize = 128;
/// The store is asked at least this often.
const POLL_EVERY: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// What is due and others have in their hands is looked for again so soon, and each time after twice as long.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
const LOOK_AGAIN_AFTER_MOST: Duration = Duration::from_millis(320);

/// What a poll needs.
#[derive(Debug)]
pub(crate) struct StorePoll {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Bus,
    pub(crate) slots: Arc<Slots>,
    pub(crate) claimant: Claimant,
    pub(crate) peers: PeerWatch,
    pub(crate) stop: CancellationToken,
    pub(crate) liveness: Arc<Liveness>,
}

impl StorePoll {
    /// Claims what is due until told to stop. It stops between claims only, so that none is left unaccounted.
    pub(crate) async fn run(self) {
        let liveness = Arc::clone(&self.liveness);
        self.claim_until_told().await;
        liveness.disarm(VitalLoop::Poll);
    }

    async fn claim_until_told(self) {
        let Self { dispatcher, store, bus, slots, claimant, mut peers, stop, liveness } = self;
        let mut fails = false;
        let mut in_vain = LooksInVain::default();
        loop {
            let reservation = tokio::select! {
                () = stop.cancelled() => return,
                reservation = reserve(&slots, &liveness, fails) => reservation,
            };
            let lost = match &mut peers {
                PeerWatch::None => None,
                PeerWatch::Some(lost) => Some(lost.borrow_and_update().clone()),
            };
            let take_over = lost.as_ref().map_or(TakeOver::AllOthers, TakeOver::Lost);
            let under_way = dispatcher.in_flight().claiming();
            match store.claim_due(&claimant, reservation.count(), take_over).await {
                Ok(due) => {
                    fails = false;
                    for (id, status) in &due.ended {
                        tracing::info!(execution_id = %id, %status, "execution ended without another run");
                    }
                    if !due.ended.is_empty() {
                        notify_rows(store.clone(), &bus, due.ended.iter().map(|(id, _)| *id).collect());
                    }
                    let found = !due.claimed.is_empty();
                    in_vain.note(due.may_be_left);
                    dispatcher.accept(due.claimed, reservation);
                    drop(under_way);
                    if found {
                        continue;
                    }
                }
                Err(error) => {
                    // A claim that was committed all the same left rows in our name that nobody runs: the
                    // next renewals release them.
                    drop((under_way, reservation));
                    // A database that is away for everybody is no fault of this loop.
                    fails = store.writes_work();
                    tracing::warn!(%error, "cannot claim from the store; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            }
            slots.note_waiting(in_vain.again_after().is_some());
            tokio::select! {
                () = stop.cancelled() => return,
                () = wait(&*store, &claimant.queues, &in_vain) => {}
                () = lost_more(&mut peers) => {}
            }
            slots.note_waiting(true);
        }
    }
}

/// Waits for slots, and beats meanwhile. A poll that keeps failing although the database can be written shows no life
/// by trying again.
async fn reserve(slots: &Arc<Slots>, liveness: &Liveness, fails: bool) -> SlotReservation {
    let mut reserve = std::pin::pin!(slots.reserve(CLAIM_MAX));
    if fails && let Ok(reservation) = timeout(POLL_EVERY, &mut reserve).await {
        return reservation;
    }
    liveness.beating(VitalLoop::Poll, reserve).await
}

/// Returns when there is more to be taken over.
async fn lost_more(peers: &mut PeerWatch) {
    let changed = match peers {
        PeerWatch::Some(lost) => lost.changed().await.is_ok(),
        PeerWatch::None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

/// Waits until a row may be due: told by the database, or by the time of the next one, or by the clock.
async fn wait(store: &dyn WaitingStore, queues: &ServedQueues, in_vain: &LooksInVain) {
    let next = match in_vain.again_after() {
        Some(soon) => soon,
        None => store.next_due(queues).await.ok().flatten().unwrap_or(POLL_EVERY),
    };
    // Several supervisors spread over a few milliseconds: a row that is to start at a moment is late by no more.
    let jitter = Duration::from_millis(fastrand::u64(0..10));
    let most = next.clamp(LOOK_AGAIN_AFTER, POLL_EVERY) + jitter;
    let _ = timeout(most, store.woken()).await;
}

/// How often one looked in a row, found nothing, and something due was left. Nobody is woken for what has been due for long,
/// so it is looked for again soon; and not at once, since somebody else is about to take it.
#[derive(Debug, Default)]
struct LooksInVain(u32);

impl LooksInVain {
    fn note(&mut self, may_be_left: bool) {
        self.0 = if may_be_left { self.0.saturating_add(1) } else { 0 };
    }

    /// `None`: nothing is left.
    fn again_after(&self) -> Option<Duration> {
        let doubled = 2_u32.saturating_pow(self.0.checked_sub(1)?);
        Some(LOOK_AGAIN_AFTER.saturating_mul(doubled).min(LOOK_AGAIN_AFTER_MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_looked_for_again_soon_and_ever_later() {
        let mut in_vain = LooksInVain::default();
        assert_eq!(in_vain.again_after(), None);
        let after = [20, 40, 80, 160, 320, 320].map(Duration::from_millis);
        for after in after {
            in_vain.note(true);
            assert_eq!(in_vain.again_after(), Some(after));
        }
        in_vain.note(false);
        assert_eq!(in_vain.again_after(), None);
    }
}
