//! Whether the supervisor's own loops still turn: what liveness and systemd's watchdog go by.
//!
//! It is about this process alone. A database that is away is no reason to be restarted, so a loop that waits
//! on purpose beats while it waits, and one that asks a server has longer than the server may take.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a loop that waits shows that it does.
const BEAT: Duration = Duration::from_secs(1);
/// The crew's thread answers at once. On a machine that swaps it may take a while.
const CREW_WITHIN: Duration = Duration::from_secs(10);
/// The longest question to the store takes half of this before it is given up.
const STORE_WITHIN: Duration = Duration::from_secs(90);
/// A loop that has not begun yet, or has ended as it should, is not judged.
const RESTING: u64 = u64::MAX;

/// A loop that must turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// The thread of the workers.
    Crew,
    /// Claims what waits in the store.
    Poll,
    /// Renews leases.
    Leases,
}

/// When each loop turned last.
#[derive(Debug)]
pub struct Pulse {
    born: Instant,
    crew: AtomicU64,
    poll: AtomicU64,
    leases: AtomicU64,
    leases_within: Duration,
}

impl Pulse {
    /// No loop has begun. Leases last so long, and are renewed every third of it.
    pub fn new(lease: Duration) -> Self {
        Self {
            born: Instant::now(),
            crew: AtomicU64::new(RESTING),
            poll: AtomicU64::new(RESTING),
            leases: AtomicU64::new(RESTING),
            leases_within: STORE_WITHIN + lease,
        }
    }

    /// It turned just now.
    pub fn beat(&self, turned: Loop) {
        self.slot(turned).store(self.now_ms(), Ordering::Relaxed);
    }

    /// It has ended, as it should.
    pub fn rest(&self, ended: Loop) {
        self.slot(ended).store(RESTING, Ordering::Relaxed);
    }

    /// Waits on purpose, however long, and beats meanwhile.
    pub async fn beating<T>(&self, turns: Loop, wait: impl Future<Output = T>) -> T {
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
            (Loop::Crew, "the thread of the workers", CREW_WITHIN),
            (Loop::Poll, "the loop that claims from the store", STORE_WITHIN),
            (Loop::Leases, "the loop that renews leases", self.leases_within),
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

    fn slot(&self, of: Loop) -> &AtomicU64 {
        match of {
            Loop::Crew => &self.crew,
            Loop::Poll => &self.poll,
            Loop::Leases => &self.leases,
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
        let pulse = Pulse::new(LEASE);
        let later = |seconds: u64| pulse.now_ms() + seconds * 1000;
        assert_eq!(pulse.check_at(later(1_000_000)), Ok(()), "nothing has begun");
        pulse.beat(Loop::Crew);
        assert_eq!(pulse.check_at(later(9)), Ok(()));
        assert!(pulse.check_at(later(12)).unwrap_err().contains("the thread of the workers"));
        pulse.rest(Loop::Crew);
        pulse.beat(Loop::Leases);
        assert_eq!(pulse.check_at(later(115)), Ok(()), "a renewal is due every ten seconds, and may wait");
        assert!(pulse.check_at(later(122)).unwrap_err().contains("leases"));
        pulse.beat(Loop::Poll);
        assert!(pulse.check_at(later(92)).unwrap_err().contains("claims"));
    }

    #[tokio::test]
    async fn waiting_on_purpose_beats_from_its_beginning() {
        let pulse = Pulse::new(LEASE);
        let mut wait = pin!(pulse.beating(Loop::Poll, std::future::pending::<()>()));
        assert!(futures_util::poll!(wait.as_mut()).is_pending());
        assert_ne!(pulse.poll.load(Ordering::Relaxed), RESTING);
        assert_eq!(pulse.beating(Loop::Crew, std::future::ready(7)).await, 7);
    }
}
