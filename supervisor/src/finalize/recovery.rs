//! While the store takes no outcomes: they are kept, and tried again until it does.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use muster_store::{Finalization, StoreError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::proof::store_takes_outcomes;
use super::spill::{SpillPlace, SpilledGroup};
use super::writer::{GROUP_MAX, GROUP_MAX_BYTES, GroupWriter};

/// Soon after the return of a store that was away its outcomes are written, and the intake opens again.
const BACKOFF_MAX: Duration = Duration::from_millis(500);

impl GroupWriter {
    /// Tries again and again until the store has taken all that is parked; keeps what arrives meanwhile. A
    /// commit whose outcome is unknown is simply repeated: rows already written say so. What the store refuses while
    /// it takes other outcomes is found by halves, and goes aside.
    pub(super) async fn recover(&mut self, outcomes: &mut mpsc::UnboundedReceiver<Finalization>) {
        let mut waits = backoff();
        let (mut most, mut suspect, mut away) = (GROUP_MAX, None, false);
        while !self.parked.is_empty() {
            let Some(SpilledGroup { outcomes: group, from }) = self.parked.oldest(most, GROUP_MAX_BYTES)
            else {
                self.keep_for(waits.next().unwrap_or(BACKOFF_MAX), outcomes).await;
                continue;
            };
            let (count, started) = (group.len(), Instant::now());
            match self.write(group).await {
                Ok(written) => {
                    waits = backoff();
                    most = (most * 2).min(GROUP_MAX);
                    self.put_aside(written.locked, from);
                    self.parked.forget(count, from);
                    let told = written.outcomes.len();
                    self.report_group(written.outcomes, written.verdicts, started.elapsed()).await;
                    if from == SpillPlace::Memory {
                        self.written(told);
                    }
                }
                Err((group, error))
                    if !is_about_the_store(&error)
                        && !self.refused.is_full()
                        && store_takes_outcomes(&*self.store).await =>
                {
                    match &group[..] {
                        [outcome] if suspect == Some(outcome.attempt) => {
                            self.put_aside(vec![(outcome.clone(), error)], from);
                            self.parked.forget(1, from);
                        }
                        // A moment may have refused it, such as a lock that is gone: it is tried once more.
                        [outcome] => suspect = Some(outcome.attempt),
                        _ => most = count.div_ceil(2),
                    }
                }
                Err((_, error)) => {
                    if !std::mem::replace(&mut away, true) {
                        self.sink.store_unreachable(true).await;
                    }
                    report(&error, self.parked.len());
                    let safe = self.parked.keep_memory_on_disk();
                    self.written(safe);
                    self.keep_for(waits.next().unwrap_or(BACKOFF_MAX), outcomes).await;
                }
            }
        }
        // Emptying the file gave back what was set aside.
        self.room.make(&self.parked);
        if away {
            self.sink.store_unreachable(false).await;
        }
    }

    /// Waits, and parks what arrives meanwhile.
    async fn keep_for(&mut self, wait: Duration, outcomes: &mut mpsc::UnboundedReceiver<Finalization>) {
        let deadline = Instant::now() + wait;
        let mut group = Vec::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                count = outcomes.recv_many(&mut group, GROUP_MAX) => {
                    if count == 0 {
                        return tokio::time::sleep_until(deadline).await;
                    }
                    self.park(std::mem::take(&mut group));
                }
            }
        }
    }
}

/// No row is to blame, whatever else the store takes: the proof of that writes nothing, and needs no room.
fn is_about_the_store(error: &StoreError) -> bool {
    matches!(error, StoreError::NoRoom { .. } | StoreError::Damaged { .. })
}

fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(BACKOFF_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}

fn report(error: &StoreError, waiting: usize) {
    if error.is_passing() {
        tracing::warn!(%error, waiting, "cannot commit outcomes; kept in the outbox, retrying");
    } else {
        tracing::error!(%error, waiting, "the database refuses outcomes; they are kept until it is fixed");
    }
}
