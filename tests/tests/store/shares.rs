//! Shares: whose executions a claim takes. How much each is given is decided and tested in `muster_core::shares`; here it
//! is what the databases find, and what supervisors know of one another.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Attempt;
use muster_store::{Claimant, NewExecution, PauseTarget, TakeOver};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, new_execution, serving};

type Customer = Option<Uuid>;

fn customer(number: u128) -> Customer {
    Some(Uuid::from_u128(number))
}

fn of(organization_id: Customer) -> NewExecution {
    NewExecution { organization_id, ..new_execution() }
}

async fn submit(fixture: &Fixture, organization_id: Customer, count: usize) {
    let rows: Vec<NewExecution> = (0..count).map(|_| of(organization_id)).collect();
    fixture.store.submit(&rows).await.unwrap();
}

/// How many of each a claim of so many took.
async fn claim(fixture: &Fixture, me: &Claimant, limit: usize) -> HashMap<Customer, usize> {
    let due = fixture.store.claim_due(me, limit, TakeOver::Nothing).await.unwrap();
    let mut taken = HashMap::new();
    for claimed in due.claimed {
        *taken.entry(claimed.execution.organization_id).or_default() += 1;
    }
    taken
}

/// A run of this length, which has ended just now.
fn ran(me: &Claimant, organization_id: Customer, length: Duration) {
    let (attempt, now) = (Attempt::new(Uuid::now_v7(), 1), Timestamp::now());
    let started = now - SignedDuration::try_from(length).unwrap();
    me.shares.started(attempt, organization_id, started.as_microsecond());
    me.shares.ended(attempt, now.as_microsecond());
}

pub(crate) async fn a_backlog_of_one_organization_does_not_keep_others_waiting(fixture: Fixture) {
    let me = claimant();
    submit(&fixture, customer(1), 40).await;
    submit(&fixture, None, 10).await;
    submit(&fixture, customer(2), 10).await;
    let taken = claim(&fixture, &me, 6).await;
    assert_eq!(taken, HashMap::from([(customer(1), 2), (None, 2), (customer(2), 2)]));
}

pub(crate) async fn whoever_had_less_worker_time_goes_first(fixture: Fixture) {
    let me = claimant();
    submit(&fixture, customer(1), 40).await;
    submit(&fixture, customer(2), 40).await;
    ran(&me, customer(1), Duration::from_secs(10));
    ran(&me, customer(2), Duration::from_secs(1));
    let taken = claim(&fixture, &me, 9).await;
    assert_eq!(taken, HashMap::from([(customer(2), 9)]), "ten seconds against one and nine more of a second");
}

pub(crate) async fn a_weight_is_worker_time(fixture: Fixture) {
    let me = claimant();
    fixture
        .sql(&format!(
            "INSERT INTO organizations (id, name, is_active, weight) VALUES ('{}', 'two', {}, 2)",
            Uuid::from_u128(2),
            if fixture.adapter() == "sqlite" { "1" } else { "true" },
        ))
        .await;
    submit(&fixture, customer(1), 40).await;
    submit(&fixture, customer(2), 40).await;
    let taken = claim(&fixture, &me, 30).await;
    assert_eq!(taken, HashMap::from([(customer(1), 10), (customer(2), 20)]));
}

pub(crate) async fn what_one_has_no_use_for_others_get_with_the_next_claim(fixture: Fixture) {
    let me = claimant();
    submit(&fixture, customer(1), 1).await;
    submit(&fixture, customer(2), 20).await;
    let first: usize = claim(&fixture, &me, 16).await.values().sum();
    let second: usize = claim(&fixture, &me, 16 - first).await.values().sum();
    assert_eq!(first + second, 16);
}

pub(crate) async fn whoever_has_nothing_any_more_costs_nobody_a_claim(fixture: Fixture) {
    let (me, other) = (claimant(), claimant());
    submit(&fixture, customer(1), 4).await;
    submit(&fixture, customer(2), 4).await;
    // We know of both, and the other takes all that the one has.
    assert_eq!(claim(&fixture, &me, 2).await.len(), 2);
    ran(&other, customer(2), Duration::from_secs(60));
    assert_eq!(claim(&fixture, &other, 3).await, HashMap::from([(customer(1), 3)]));
    ran(&me, customer(2), Duration::from_secs(60));
    assert_eq!(claim(&fixture, &me, 2).await, HashMap::from([(customer(2), 2)]));
}

pub(crate) async fn who_was_not_known_is_found_when_those_who_were_have_nothing(fixture: Fixture) {
    let (me, other) = (claimant(), claimant());
    // What is known of so many is good for a fifth of a second.
    let rows: Vec<NewExecution> = (1..=40).map(|number| of(customer(number))).collect();
    fixture.store.submit(&rows).await.unwrap();
    assert_eq!(claim(&fixture, &me, 1).await.len(), 1);
    assert_eq!(claim(&fixture, &other, 64).await.len(), 39);
    submit(&fixture, customer(99), 1).await;
    assert_eq!(claim(&fixture, &me, 64).await, HashMap::from([(customer(99), 1)]));
}

pub(crate) async fn a_claim_that_finds_nothing_says_whether_that_is_all(fixture: Fixture) {
    let me = claimant();
    let left = async || {
        let due = fixture.store.claim_due(&me, 8, TakeOver::Nothing).await.unwrap();
        assert!(due.claimed.is_empty(), "{due:?}");
        due.may_be_left
    };
    assert!(!left().await && !left().await);
    let later = NewExecution { delay: Duration::from_secs(3600), ..of(customer(1)) };
    fixture.store.submit(&[later]).await.unwrap();
    assert!(!left().await && !left().await, "nobody looks again and again for what is to start in an hour");
    submit(&fixture, customer(2), 1).await;
    fixture.store.pause(&PauseTarget::All, "anna", None).await.unwrap();
    assert!(!left().await && !left().await, "nor for what is paused");
}

pub(crate) async fn what_is_to_run_later_is_offered_no_start(fixture: Fixture) {
    let me = claimant();
    for number in 1..=20 {
        let later = NewExecution { delay: Duration::from_secs(3600), ..of(customer(number)) };
        fixture.store.submit(&[later]).await.unwrap();
    }
    submit(&fixture, customer(30), 10).await;
    assert_eq!(claim(&fixture, &me, 10).await, HashMap::from([(customer(30), 10)]));
}

pub(crate) async fn in_every_queue_that_is_served_the_one_share_counts(fixture: Fixture) {
    let me = serving(["fast", "slow"]);
    for (queue, organization_id) in [("fast", 1), ("slow", 1), ("slow", 2), ("other", 3)] {
        let row = |_| NewExecution { queue: Some(queue.to_owned()), ..of(customer(organization_id)) };
        fixture.store.submit(&(0..10).map(row).collect::<Vec<_>>()).await.unwrap();
    }
    assert_eq!(claim(&fixture, &me, 8).await, HashMap::from([(customer(1), 4), (customer(2), 4)]));
}

pub(crate) async fn of_more_organizations_than_one_look_finds_all_are_served(fixture: Fixture) {
    const ORGANIZATIONS: u128 = 600;
    let me = claimant();
    let rows: Vec<NewExecution> = (1..=ORGANIZATIONS).map(|number| of(customer(number))).collect();
    for group in rows.chunks(200) {
        fixture.store.submit(group).await.unwrap();
    }
    let mut served = HashMap::new();
    for _ in 0..30 {
        served.extend(claim(&fixture, &me, 64).await);
    }
    assert_eq!(served.len(), ORGANIZATIONS as usize);
}
