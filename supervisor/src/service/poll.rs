//! Intake from the store: rows that wait, and rows whose supervisor is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::desk::Desk;
use super::pulse::{Loop, Pulse};
use super::slots::Slots;
use super::sweep::announce_rows;
use crate::bus::Bus;
use crate::store::{Claimant, Store, TakeOver};

/// A poll takes up to so many at once.
const CLAIM_MAX: usize = 128;
/// The store is asked at least this often.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often dead supervisors are looked for, where the database can tell.
const PROBE_EVERY: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Whose RUNNING rows a poll may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Neighbours {
    /// Nobody else can live: the data directory is locked.
    None,
    /// Other supervisors share the database.
    Some,
}

/// What a poll needs.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) desk: Arc<Desk>,
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Bus,
    pub(super) slots: Arc<Slots>,
    pub(super) claimant: Claimant,
    pub(super) neighbours: Neighbours,
    pub(super) stop: CancellationToken,
    pub(super) pulse: Arc<Pulse>,
}

impl Poll {
    /// Claims what is due until told to stop. It stops between claims only, so that none is left unaccounted.
    pub(super) async fn run(self) {
        let pulse = Arc::clone(&self.pulse);
        self.claim_until_told().await;
        pulse.rest(Loop::Poll);
    }

    async fn claim_until_told(self) {
        let Self { desk, store, bus, slots, claimant, neighbours, stop, pulse } = self;
        let mut deaths = Deaths::unknown();
        loop {
            // Before slots are reserved: a proof takes its time, and the broker can use them meanwhile.
            if neighbours == Neighbours::Some {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = deaths.prove(&*store, &claimant) => {}
                }
            }
            let reservation = tokio::select! {
                () = stop.cancelled() => return,
                reservation = pulse.beating(Loop::Poll, slots.reserve(CLAIM_MAX)) => reservation,
            };
            let take_over = match neighbours {
                Neighbours::None => TakeOver::AllOthers,
                Neighbours::Some => TakeOver::Lost { dead: &deaths.proven },
            };
            let under_way = desk.ledger().claiming();
            match store.claim_due(&claimant, reservation.count(), take_over).await {
                Ok(due) => {
                    for (id, status) in &due.ended {
                        tracing::info!(%id, %status, "execution ended without another run");
                    }
                    if !due.ended.is_empty() {
                        announce_rows(&store, &bus, due.ended.iter().map(|(id, _)| *id).collect());
                    }
                    let found = !due.claimed.is_empty();
                    desk.accept(due.claimed, reservation);
                    drop(under_way);
                    if found {
                        continue;
                    }
                }
                Err(error) => {
                    // A claim that was committed all the same left rows in our name that nobody runs: the
                    // next renewals release them.
                    drop((under_way, reservation));
                    tracing::warn!(%error, "cannot claim from the store; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = wait(&*store) => {}
            }
        }
    }
}

/// Which other supervisors are proven dead. A proof may be old by the time of a claim, which checks it again.
#[derive(Debug)]
struct Deaths {
    proven: Vec<Uuid>,
    probed: Instant,
}

impl Deaths {
    fn unknown() -> Self {
        Self { proven: Vec::new(), probed: Instant::now() }
    }

    /// Looks for them, if it is time.
    async fn prove(&mut self, store: &dyn Store, claimant: &Claimant) {
        if self.probed.elapsed() >= PROBE_EVERY {
            self.proven = store.dead_owners(claimant).await.unwrap_or_default();
            self.probed = Instant::now();
        }
    }
}

/// Waits until a row may be due: told by the database, or by the time of the next one, or by the clock.
async fn wait(store: &dyn Store) {
    let next = store.next_due().await.ok().flatten().unwrap_or(POLL_EVERY);
    // A row that is due now and was passed over is being claimed by somebody else: look again soon, not at once.
    let jitter = Duration::from_millis(fastrand::u64(0..50));
    let most = next.clamp(Duration::from_millis(20), POLL_EVERY) + jitter;
    let _ = timeout(most, store.woken()).await;
}
