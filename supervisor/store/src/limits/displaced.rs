//! What made room for a newer execution, for whoever tells of it: the owners of what runs, and those who watch what ended.

use std::sync::{Mutex, PoisonError};

use muster_core::execution::Attempt;
use tokio::sync::Notify;
use uuid::Uuid;

/// An execution that made room for another, or was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Displaced {
    /// It is over, and nobody was told yet.
    Over(Uuid),
    /// It runs, and was asked to end. Its owner learns it at its next renewal, unless it is told before.
    Asked {
        /// What runs.
        attempt: Attempt,
        /// Who runs it.
        owner: Uuid,
        /// What it made room for.
        reason: String,
    },
}

/// Those that this process has displaced and not told of yet.
#[derive(Debug, Default)]
pub(crate) struct DisplacedBook {
    found: Mutex<Vec<Displaced>>,
    more: Notify,
}

impl DisplacedBook {
    /// Notes what was committed.
    pub(crate) fn note(&self, displaced: impl IntoIterator<Item = Displaced>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let before = found.len();
        found.extend(displaced);
        if found.len() > before {
            self.more.notify_one();
        }
    }

    /// Waits until there are some, and takes them.
    pub(crate) async fn next(&self) -> Vec<Displaced> {
        loop {
            let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
            if !found.is_empty() {
                return found;
            }
            self.more.notified().await;
        }
    }
}
