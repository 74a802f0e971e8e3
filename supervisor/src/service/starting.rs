//! What a start waits for: the database, and what an earlier process left in the outbox.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use muster_store::{Durability, SqliteStore, Store};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use super::backends::{BackendError, OpenStore, open_store, sqlite_path};
use crate::api::{Readiness, ReadinessPart};
use crate::settings::Settings;

/// How often a database that does not answer is tried.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What readiness says until the supervisor has started, and what must be closed however the start ends.
#[derive(Debug)]
pub struct Starting {
    readiness: watch::Sender<Readiness>,
    opened: OnceLock<Arc<dyn Store>>,
}

impl Default for Starting {
    fn default() -> Self {
        let readiness = waiting("start", "the supervisor is starting".to_owned());
        Self { readiness: watch::Sender::new(readiness), opened: OnceLock::new() }
    }
}

impl Starting {
    /// What it waits for at the moment.
    pub fn waits_for(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    pub(super) fn wait_for(&self, part: &str, detail: impl Into<String>) {
        self.readiness.send_replace(waiting(part, detail.into()));
    }

    /// Opens the store of the settings, however long it takes until it answers and may be written.
    pub(super) async fn open_store(&self, settings: &Settings) -> Result<OpenStore, BackendError> {
        self.when_store_answers(async || self.open_and_migrate(settings).await).await
    }

    async fn open_and_migrate(&self, settings: &Settings) -> Result<OpenStore, BackendError> {
        if let Some(file) = sqlite_path(settings.database_url.expose_secret()) {
            SqliteStore::check_after_kill(file).await?;
        }
        let open = open_store(settings, Durability::Full).await?;
        match open.store.migrate().await {
            Ok(()) => {
                let _ = self.opened.set(Arc::clone(&open.store));
                Ok(open)
            }
            Err(error) => {
                open.store.close().await;
                Err(error.into())
            }
        }
    }

    /// Closes the store, if it was opened: nothing of this process asks it any more.
    pub(super) async fn close_store(&self) {
        if let Some(store) = self.opened.get() {
            store.close().await;
        }
    }

    /// Tries a step of the start until the store takes it: it may be away, read-only or out of connections, and
    /// it may go away in the middle. What is waited for is told, and told again only when it changes.
    pub(super) async fn when_store_answers<T>(
        &self,
        step: impl AsyncFn() -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut told = String::new();
        loop {
            match step().await {
                Err(BackendError::Store(error)) if error.is_passing() => {
                    let reason = error.to_string();
                    if reason != told {
                        tracing::warn!(reason, "waiting for the database");
                        self.wait_for("store", format!("the start waits for the database: {reason}"));
                        told = reason;
                    }
                    tokio::time::sleep(OPEN_AGAIN_AFTER).await;
                }
                done => {
                    if !told.is_empty() && done.is_ok() {
                        tracing::info!("the database answers; the start goes on");
                    }
                    return done;
                }
            }
        }
    }
}

fn waiting(part: &str, detail: String) -> Readiness {
    Readiness::of(vec![ReadinessPart { part: part.to_owned(), ready: false, detail }])
}
