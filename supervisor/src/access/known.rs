//! What this process knows of tokens: kept in step with the table, asked by every request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use muster_store::TokenRecord;
use tokio::sync::watch;
use uuid::Uuid;

use super::book::{TokenBook, TokenStanding};
use super::caller::{Caller, Credential};
use super::hash_of;

/// Somebody may set the clock: what waits for a moment looks at it again.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The tokens that are known, and when each was used.
#[derive(Debug)]
pub struct KnownTokens {
    /// `None`: the table was never read.
    book: watch::Sender<Option<Arc<TokenBook>>>,
    uses: Mutex<HashMap<Uuid, Timestamp>>,
}

impl Default for KnownTokens {
    fn default() -> Self {
        Self { book: watch::Sender::new(None), uses: Mutex::default() }
    }
}

impl KnownTokens {
    /// From now on these count and no others.
    pub fn replace(&self, records: Vec<TokenRecord>) {
        self.book.send_replace(Some(Arc::new(TokenBook::of(records))));
    }

    /// What a token that was shown is; `None` before the table was read.
    pub fn standing(&self, shown: &str, now: Timestamp) -> Option<TokenStanding> {
        let book = self.book.borrow().clone()?;
        let standing = book.standing(&hash_of(shown), now);
        if let TokenStanding::Known { caller, .. } = &standing
            && let Credential::Named { id, .. } = &caller.credential
        {
            self.uses.lock().unwrap_or_else(PoisonError::into_inner).insert(*id, now);
        }
        Some(standing)
    }

    /// The tokens that were used since this was asked last.
    pub fn take_uses(&self) -> Vec<(Uuid, Timestamp)> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }

    /// Returns when somebody who was let in is not let in any more: their token was removed or rotated, or has expired.
    /// For those who go on for long after they asked.
    pub async fn ended(&self, caller: &Caller) {
        let Credential::Named { hash, .. } = &caller.credential else { return std::future::pending().await };
        let mut book = self.book.subscribe();
        loop {
            let known = book.borrow_and_update().clone().unwrap_or_default();
            let now = Timestamp::now();
            let left = match known.standing(hash, now) {
                TokenStanding::Known { caller: known, until } if known == *caller => {
                    until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default())
                }
                TokenStanding::Known { .. } | TokenStanding::Expired { .. } | TokenStanding::Unknown => {
                    return;
                }
            };
            let look = tokio::time::sleep(left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY)));
            tokio::select! {
                changed = book.changed() => if changed.is_err() { return },
                () = look => {}
            }
        }
    }
}
