//! Whether the database confirms what it is told. One that answers every question may keep a commit waiting for ever: for a standby
//! that is away, a lock, or a disk that does not answer.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_store::{Result, StoreError};
use tokio::time::{Instant, timeout};

/// What is not confirmed within this stands still.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// One write that comes again and again, watched for all the others.
#[derive(Debug, Default)]
pub(super) struct WriteWatch(Mutex<Option<Unconfirmed>>);

#[derive(Debug)]
struct Unconfirmed {
    since: Instant,
    is_told: bool,
}

impl WriteWatch {
    /// Gives what the write comes to, and notes meanwhile for how long it has not been confirmed.
    pub(super) async fn watched<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.state().get_or_insert_with(|| Unconfirmed { since: Instant::now(), is_told: false });
        let mut write = pin!(write);
        let written = match timeout(CONFIRMED_WITHIN, &mut write).await {
            Ok(written) => written,
            Err(_) => {
                self.tell();
                write.await
            }
        };
        // One that was given up may still be held up, and hold the row that the next one is for.
        if !matches!(written, Err(StoreError::CommitUnknown { .. } | StoreError::Locked { .. })) {
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
        waited.filter(|waited| *waited >= CONFIRMED_WITHIN)
    }

    fn tell(&self) {
        let mut state = self.state();
        let Some(unconfirmed) = state.as_mut().filter(|unconfirmed| !unconfirmed.is_told) else { return };
        unconfirmed.is_told = true;
        tracing::warn!("the database answers, and does not confirm what is written");
    }

    fn state(&self) -> MutexGuard<'_, Option<Unconfirmed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_is_not_confirmed_shows_until_one_is() {
        let watch = Arc::<WriteWatch>::default();
        watch.watched(async { Ok(()) }).await.unwrap();
        assert_eq!(watch.silent_for(), None);
        let (confirmed, confirms) = tokio::sync::oneshot::channel::<Result<()>>();
        let writing = {
            let watch = Arc::clone(&watch);
            tokio::spawn(async move { watch.watched(async { confirms.await.unwrap() }).await })
        };
        tokio::time::sleep(CONFIRMED_WITHIN * 2).await;
        assert_eq!(watch.silent_for(), Some(CONFIRMED_WITHIN * 2));
        confirmed
            .send(Err(StoreError::CommitUnknown { backend: "test", message: "given up".into() }))
            .unwrap();
        writing.await.unwrap().unwrap_err();
        assert!(watch.silent_for().is_some(), "it may still wait");
        watch.watched(async { Ok(()) }).await.unwrap();
        assert_eq!(watch.silent_for(), None);
    }
}
