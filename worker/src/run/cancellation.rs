//! The wish that a run should end: who wants it, since when, and how much time is left to do so.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::CancelReason;
use tokio::sync::Notify;

/// A wish that a run should end. The first one counts.
#[derive(Clone, Debug)]
pub struct CancelRequest {
    /// Who wants the run to end.
    pub reason: CancelReason,
    /// A word about it; may be empty.
    pub message: String,
    /// When the request arrived.
    pub at: Instant,
    /// How long the run may take to end by itself, before signals follow.
    pub grace: Duration,
}

/// How long code that reacts to a cancel may go on to clean up, unless the supervisor is leaving and has
/// time: a run that timed out must end at its deadline, not at the end of the grace.
const CLEAN_UP: Duration = Duration::from_millis(25);

impl CancelRequest {
    /// One line for a person.
    pub fn describe(&self) -> String {
        let what = match self.reason {
            CancelReason::User => "cancelled",
            CancelReason::Timeout => "timed out",
            CancelReason::Shutdown => "stopped because the supervisor is leaving",
            CancelReason::LeaseLost => "stopped because another supervisor took over",
        };
        if self.message.is_empty() { what.to_owned() } else { format!("{what}: {}", self.message) }
    }

    /// When code that can be ended by force is.
    pub(crate) fn stop_at(&self) -> Instant {
        let half = self.grace / 2;
        let clean_up = match self.reason {
            CancelReason::Shutdown => half,
            CancelReason::User | CancelReason::Timeout | CancelReason::LeaseLost => half.min(CLEAN_UP),
        };
        self.at + clean_up
    }
}

/// A cell that holds the wish once it came, for pollers, blocked threads and tasks alike.
#[derive(Default)]
pub(crate) struct Cancellation {
    request: OnceLock<CancelRequest>,
    blocked: Mutex<()>,
    arrived: Condvar,
    tasks: Notify,
}

impl Cancellation {
    /// The first wish, if one came.
    pub(crate) fn get(&self) -> Option<&CancelRequest> {
        self.request.get()
    }

    /// Keeps the wish, if it is the first, and wakes everyone who waits for one.
    pub(crate) fn request(&self, reason: CancelReason, message: &str, grace: Duration) {
        let wish = CancelRequest { reason, message: message.to_owned(), at: Instant::now(), grace };
        let guard = self.lock();
        let first = self.request.set(wish).is_ok();
        drop(guard);
        if first {
            self.arrived.notify_all();
            self.tasks.notify_waiters();
        }
    }

    /// Blocks for so long, or until a wish comes. True when it came.
    pub(crate) fn wait(&self, duration: Duration) -> bool {
        let guard = self.lock();
        let waited = self.arrived.wait_timeout_while(guard, duration, |()| self.request.get().is_none());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.request.get().is_some()
    }

    /// Resolves when a wish comes.
    pub(crate) async fn requested(&self) -> &CancelRequest {
        loop {
            let arrived = self.tasks.notified();
            if let Some(request) = self.request.get() {
                return request;
            }
            arrived.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_counts_and_wakes_a_blocked_thread() {
        let cancellation = Cancellation::default();
        assert!(!cancellation.wait(Duration::ZERO));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| cancellation.wait(Duration::from_secs(30)));
            cancellation.request(CancelReason::Timeout, "after 1 s", Duration::from_secs(1));
            cancellation.request(CancelReason::User, "", Duration::from_secs(1));
            assert!(waits.join().unwrap());
        });
        assert_eq!(cancellation.get().unwrap().describe(), "timed out: after 1 s");
    }
}
