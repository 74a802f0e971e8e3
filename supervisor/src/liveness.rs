//! Whether the supervisor's own loops still turn: what liveness and systemd's watchdog go by.
//!
//! It is about this process alone. A database that is away is no reason to be restarted, so a loop that waits
//! on purpose beats while it waits, and one that asks a server has longer than the server may take.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a loop that waits shows that it does.
const BEAT: Duration = Duration::from_secs(1);
/// The executor's thread answers at once. On a machine that swaps it may take a while.
const EXECUTOR_WITHIN: Duration = Duration::from_secs(10);
/// The longest question to the store takes half of this before it is given up.
const STORE_WITHIN: Duration = Duration::from_secs(90);
/// A loop that has not begun yet, or has ended as it should, is not judged.
const RESTING: u64 = u64::MAX;

/// A loop whose stop makes the supervisor useless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VitalLoop {
    /// The thread that commands the workers.
    Executor,
    /// Claims what waits in the store.
    Poll,
    /// The loop that renews leases.
    Leases,
}

/// When each loop was last seen to turn.
#[derive(Debug)]
pub struct Liveness {
    born: Instant,
    executor: AtomicU64,
    poll: AtomicU64,
    leases: AtomicU64,
    leases_within: Duration,
}

impl Liveness {
    /// No loop has begun. Leases last so long, and are renewed every third of it.
    pub fn new(lease: Duration) -> Self {
        Self {
            born: Instant::now(),
            executor: AtomicU64::new(RESTING),
            poll: AtomicU64::new(RESTING),
            leases: AtomicU64::new(RESTING),
            leases_within: STORE_WITHIN + lease,
        }
    }

    /// Notes that the loop turned just now.
    pub fn beat(&self, turned: VitalLoop) {
        self.slot(turned).store(self.now_ms(), Ordering::Relaxed);
    }

    /// It has ended, as it should.
    pub fn disarm(&self, ended: VitalLoop) {
        self.slot(ended).store(RESTING, Ordering::Relaxed);
    }

    /// Waits on purpose, however long, and beats meanwhile.
    pub async fn beating<T>(&self, turns: VitalLoop, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            self.beat(turns);
            if let Ok(done) = tokio::time::timeout(BEAT, &mut wait).await {
                self.beat(turns);
                return done;
            }
        }
    }

    /// # Errors
    /// What does not turn any more, and since when.
    pub fn check(&self) -> Result<(), String> {
        self.check_at(self.now_ms())
    }

    fn check_at(&self, now_ms: u64) -> Result<(), String> {
        for (turning, what, within) in [
            (VitalLoop::Executor, "the thread of the workers", EXECUTOR_WITHIN),
            (VitalLoop::Poll, "the loop that claims from the store", STORE_WITHIN),
            (VitalLoop::Leases, "the loop that renews leases", self.leases_within),
        ] {
            let turned_ms = self.slot(turning).load(Ordering::Relaxed);
            let since = Duration::from_millis(now_ms.saturating_sub(turned_ms));
            if turned_ms != RESTING && since > within {
                return Err(format!(
                    "{what} has not turned for {} s: restart the supervisor",
                    since.as_secs()
                ));
            }
        }
        Ok(())
    }

    fn slot(&self, of: VitalLoop) -> &AtomicU64 {
        match of {
            VitalLoop::Executor => &self.executor,
            VitalLoop::Poll => &self.poll,
            VitalLoop::Leases => &self.leases,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(RESTING - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[test]
    fn a_loop_that_stands_still_is_named_and_one_that_rests_is_not() {
        let liveness = Liveness::new(LEASE);
        let later = |seconds: u64| liveness.now_ms() + seconds * 1000;
        assert_eq!(liveness.check_at(later(1_000_000)), Ok(()), "nothing has begun");
        liveness.beat(VitalLoop::Executor);
        assert_eq!(liveness.check_at(later(9)), Ok(()));
        assert!(liveness.check_at(later(12)).unwrap_err().contains("the thread of the workers"));
        liveness.disarm(VitalLoop::Executor);
        liveness.beat(VitalLoop::Leases);
        assert_eq!(liveness.check_at(later(115)), Ok(()), "a renewal is due every ten seconds, and may wait");
        assert!(liveness.check_at(later(122)).unwrap_err().contains("leases"));
        liveness.beat(VitalLoop::Poll);
        assert!(liveness.check_at(later(92)).unwrap_err().contains("claims"));
    }

    #[tokio::test]
    async fn waiting_on_purpose_beats_from_its_beginning() {
        let liveness = Liveness::new(LEASE);
        let mut wait = pin!(liveness.beating(VitalLoop::Poll, std::future::pending::<()>()));
        assert!(futures_util::poll!(wait.as_mut()).is_pending());
        assert_ne!(liveness.poll.load(Ordering::Relaxed), RESTING);
        assert_eq!(liveness.beating(VitalLoop::Executor, std::future::ready(7)).await, 7);
    }
}
