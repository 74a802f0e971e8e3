//! Looking at the other supervisors, with a store that says what is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster_store::{
    Claimant, DeadOwner, ExpiredOwners, PeerStore, PresenceShown, Result, ServedQueues, StoreError,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::dispatch::watch_for_ever;

fn claimant() -> Claimant {
    Claimant::new(Duration::from_secs(30), ServedQueues::of(["q"]))
}

/// Shows these, one a look, and then nothing for ever.
#[derive(Debug)]
struct SeenOwners(Mutex<VecDeque<Result<ExpiredOwners>>>);

#[async_trait]
impl PeerStore for SeenOwners {
    async fn expired_owners(&self, _: &Claimant) -> Result<ExpiredOwners> {
        let seen = self.0.lock().unwrap().pop_front();
        match seen {
            Some(seen) => seen,
            None => std::future::pending().await,
        }
    }

    async fn hold_presence(&self, _: &Claimant) -> Result<()> {
        Ok(())
    }

    fn presence(&self) -> PresenceShown {
        PresenceShown::NotNeeded
    }

    fn writes_work(&self) -> bool {
        true
    }
}

fn dead(owner: u128) -> ExpiredOwners {
    let lease_ends = jiff::Timestamp::UNIX_EPOCH;
    let owner = DeadOwner { owner: Uuid::from_u128(owner), beats: None, lease_ends };
    ExpiredOwners { dead: vec![owner], overdue: Vec::new() }
}

fn away() -> StoreError {
    StoreError::Unreachable { backend: "test", message: "away".to_owned() }
}

#[tokio::test]
async fn what_is_lost_is_told_when_it_changes_and_forgotten_when_nobody_can_look() {
    let seen = [Ok(dead(1)), Ok(dead(1)), Err(away())];
    let (found, mut lost) = watch::channel(ExpiredOwners::default());
    let _looking =
        tokio::spawn(watch_for_ever(Arc::new(SeenOwners(Mutex::new(seen.into()))), claimant(), found));
    let mut told = Vec::new();
    while told.len() < 2 {
        lost.changed().await.unwrap();
        told.push(lost.borrow_and_update().clone());
    }
    assert_eq!(told, [dead(1), ExpiredOwners::default()], "the same is told once");
}

#[tokio::test]
async fn nobody_looks_for_somebody_who_is_gone() {
    let seen = (0..100).map(|_| Ok(dead(1))).collect();
    let (found, lost) = watch::channel(ExpiredOwners::default());
    let looking = tokio::spawn(watch_for_ever(Arc::new(SeenOwners(Mutex::new(seen))), claimant(), found));
    drop(lost);
    looking.await.unwrap();
}
