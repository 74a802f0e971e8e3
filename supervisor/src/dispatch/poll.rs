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
            tokio::select! {
                () = stop.cancelled() => return,
                () = wait(&*store, &claimant.queues) => {}
                () = lost_more(&mut peers) => {}
            }
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
async fn wait(store: &dyn WaitingStore, queues: &ServedQueues) {
    let next = store.next_due(queues).await.ok().flatten().unwrap_or(POLL_EVERY);
    // A row that has become due and was passed over is being claimed by somebody else: look again soon, not at once.
    // Several supervisors spread over a few milliseconds: a row that is to start at a moment is late by no more.
    let jitter = Duration::from_millis(fastrand::u64(0..10));
    let most = next.clamp(Duration::from_millis(20), POLL_EVERY) + jitter;
    let _ = timeout(most, store.woken()).await;
}
