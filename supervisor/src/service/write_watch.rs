//! Whether the database confirms what it is told. One that answers every question may keep a commit waiting for ever: for a standby
//! that is away, a lock, or a disk that does not answer.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_store::{Result, StoreError};
use tokio::time::{Instant, timeout};

/// Longer than a commit takes on a database that is only slow.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// One write that comes again and again, watched for all the others.
#[derive(Debug)]
pub(super) struct WriteWatch {
    /// What is not confirmed within this stands still.
    confirmed_within: Duration,
    unconfirmed: Mutex<Option<Unconfirmed>>,
}

#[derive(Debug)]
struct Unconfirmed {
    since: Instant,
    is_told: bool,
}

impl Default for WriteWatch {
    fn default() -> Self {
        Self { confirmed_within: CONFIRMED_WITHIN, unconfirmed: Mutex::default() }
    }
}

impl WriteWatch {
    /// Gives what the write comes to, and notes meanwhile for how long it has not been confirmed.
    pub(super) async fn watched<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.state().get_or_insert_with(|| Unconfirmed { since: Instant::now(), is_told: false });
        let mut write = pin!(write);
        let written = match timeout(self.confirmed_within, &mut write).await {
            Ok(written) => written,
            Err(_) => {
                self.tell();
                write.await
            }
        };
        // One that was given up may still be held up, and hold the row that the next one is for.
        let is_open = match &written {
            Ok(_) => false,
            Err(StoreError::CommitUnknown { .. } | StoreError::Locked { .. }) => true,
            Err(_) => self.silent_for().is_some(),
        };
        if !is_open {
            let told = self.state().take().is_some_and(|unconfirmed| unconfirmed.is_told);
            if told && written.is_ok() {
                tracing::info!("the database confirms what is written again");
            }
        }
        written
    }

    /// For how long a write has not been confirmed, if that is too long.
    pub(super) fn silent_for(&self) -> Option<Duration> {
        let waited = self.state().as_ref().map(|unconfirmed| unconfirmed.since.elapsed());
        waited.filter(|waited| *waited >= self.confirmed_within)
    }

    fn tell(&self) {
        let mut state = self.state();
        let Some(unconfirmed) = state.as_mut().filter(|unconfirmed| !unconfirmed.is_told) else { return };
        unconfirmed.is_told = true;
        tracing::warn!("the database answers, and does not confirm what is written");
    }

    fn state(&self) -> MutexGuard<'_, Option<Unconfirmed>> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_write_that_is_not_confirmed_shows_until_one_is() {
        let watch =
            Arc::new(WriteWatch { confirmed_within: Duration::from_millis(10), ..WriteWatch::default() });
        watch.watched(async { Ok(()) }).await.unwrap();
        assert_eq!(watch.silent_for(), None);
        let (confirmed, confirms) = tokio::sync::oneshot::channel::<Result<()>>();
        let writing = {
            let watch = Arc::clone(&watch);
            tokio::spawn(async move { watch.watched(async { confirms.await.unwrap() }).await })
        };
        while watch.silent_for().is_none() {
            tokio::task::yield_now().await;
        }
        confirmed
            .send(Err(StoreError::Unreachable { backend: "test", message: "no answer in time".into() }))
            .unwrap();
        writing.await.unwrap().unwrap_err();
        assert!(watch.silent_for().is_some(), "it may still wait");
        watch.watched(async { Ok(()) }).await.unwrap();
        assert_eq!(watch.silent_for(), None);
    }
}
