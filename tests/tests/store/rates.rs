//! How many may start in a period: the rates of limits.

use std::time::{Duration, Instant};

use muster_core::execution::{Attempt, Status};
use muster_core::limit::LimitTerms;
use muster_store::{NewExecution, TakeOver};

use crate::fixture::{Fixture, claimant, retry};
use crate::limits::{limited, of_customer, per_customer, total};

fn rate(rate: &str, burst: u32, terms: LimitTerms) -> LimitTerms {
    LimitTerms { rate: Some(rate.parse().unwrap()), burst: Some(burst), per_key: None, ..terms }
}

impl Fixture {
    /// Lets go what waits for a rate as soon as it may start, until something is claimed.
    async fn next_start(&self, me: &muster_store::Claimant) -> Vec<Attempt> {
        let mut somebody_waits = true;
        loop {
            let started = self.claims(me, 10).await;
            if !started.is_empty() {
                return started;
            }
            assert!(somebody_waits, "nobody waits for a rate, and nothing may start");
            // To ask lets go whoever may start by now, and that can be the last: then nobody waits and a claim finds it.
            let wait = self.store.open_rates().await.unwrap();
            somebody_waits = wait.is_some();
            tokio::time::sleep(wait.unwrap_or_default()).await;
        }
    }
}

pub(crate) async fn rule_3_no_more_start_in_a_period_for_a_key(fixture: Fixture) {
    let me = claimant();
    fixture.limit("mail", rate("3/1h", 2, per_customer(1))).await;
    let mut all: Vec<NewExecution> = (0..4).map(|_| of_customer("mail", "a")).collect();
    all.push(of_customer("mail", "b"));
    fixture.submit_all(&all).await;
    let started = fixture.claimed_ids(&me).await;
    assert_eq!(started, [all[0].id, all[1].id, all[4].id], "each key has a rate of its own");
    assert_eq!(fixture.waits_for(all[2].id).await.as_deref(), Some("rate:mail:a"));
    // What comes later stands behind them and is not looked at.
    let later = of_customer("mail", "a");
    fixture.store.submit(std::slice::from_ref(&later)).await.unwrap();
    assert_eq!(fixture.waits_for(later.id).await.as_deref(), Some("rate:mail:a"));
    assert!(fixture.claims(&me, 100).await.is_empty());
    let wait = fixture.store.limit_wait(&fixture.row(all[3].id).await).await.unwrap().unwrap();
    assert_eq!((wait.name.as_str(), wait.key.as_deref(), wait.before), ("mail", Some("a"), 1));
    let uses = fixture.store.limit_uses().await.unwrap();
    assert_eq!((uses[0].running, uses[0].waiting), (3, 3));
    // Of three in an hour, two of them early, the next starts after twenty minutes.
    let left = wait.opens_at.unwrap().duration_since(jiff::Timestamp::now()).as_secs();
    assert!((1_190..=1_200).contains(&left), "in {left} s");
    let next = fixture.store.open_rates().await.unwrap().unwrap();
    assert!((1_190..=1_200).contains(&next.as_secs()), "in {next:?}");
    // Without a rate nothing waits for one.
    fixture.limit("mail", total(100)).await;
    assert_eq!(fixture.claims(&me, 100).await.len(), 3);
}

pub(crate) async fn rule_3_what_waits_for_a_rate_starts_at_its_moment(fixture: Fixture) {
    let me = claimant();
    fixture.limit("mail", rate("10/3s", 1, total(100))).await;
    let all: Vec<NewExecution> = (0..4).map(|_| limited(["mail"])).collect();
    fixture.submit_all(&all).await;
    let begun = Instant::now();
    for (number, new) in (0_u32..).zip(&all) {
        let started = fixture.next_start(&me).await;
        assert_eq!(
            started.iter().map(|it| it.execution_id).collect::<Vec<_>>(),
            [new.id],
            "one after the other"
        );
        assert!(
            begun.elapsed() >= Duration::from_millis(300) * number,
            "{number} after {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(fixture.store.open_rates().await.unwrap(), None, "nobody waits any more");
}

pub(crate) async fn rule_3_a_rate_made_faster_lets_go_who_waited_for_the_slower_one(fixture: Fixture) {
    let me = claimant();
    fixture.limit("mail", rate("1/1d", 1, total(100))).await;
    let all: Vec<NewExecution> = (0..3).map(|_| limited(["mail"])).collect();
    fixture.submit_all(&all).await;
    assert_eq!(fixture.claims(&me, 10).await.len(), 1);
    fixture.limit("mail", rate("10/1s", 1, total(100))).await;
    let wait = fixture.store.open_rates().await.unwrap().unwrap_or_default();
    assert!(wait <= Duration::from_secs(1), "in {wait:?}");
    let started = fixture.next_start(&me).await;
    assert_eq!(started.iter().map(|it| it.execution_id).collect::<Vec<_>>(), [all[1].id]);
    // Nor does a time that was noted by a clock that has been set back since.
    let later = fixture.moment("4000000000000000");
    fixture.sql(&format!("UPDATE limit_rates SET next_at = {later}, wake_at = {later}")).await;
    fixture.store.sweep_limits().await.unwrap();
    let started = fixture.next_start(&me).await;
    assert_eq!(started.iter().map(|it| it.execution_id).collect::<Vec<_>>(), [all[2].id]);
}

pub(crate) async fn rule_3_each_attempt_is_a_start(fixture: Fixture) {
    let (me, other) = (claimant(), claimant());
    fixture.limit("mail", rate("1/1h", 2, total(100))).await;
    let new = NewExecution { max_attempts: 9, ..limited(["mail"]) };
    fixture.submit_all(std::slice::from_ref(&new)).await;
    let first = fixture.claims(&me, 10).await.pop().unwrap();
    fixture.finalize(retry(&me, first)).await;
    let second = fixture.claims(&me, 10).await.pop().unwrap();
    // It is lost, and to take it over would be a third start.
    assert!(fixture.take_over(&other).await.is_empty());
    let row = fixture.row(new.id).await;
    assert_eq!((row.status, row.attempt), (Status::Pending, second.number));
    assert_eq!(row.waits_for.as_deref(), Some("rate:mail:"));
    assert_eq!(fixture.event_names(new.id).await.last().map(String::as_str), Some("lost"));
    fixture.limit("mail", rate("1/1h", 9, total(100))).await;
    let third = fixture.store.claim_due(&other, 10, TakeOver::Nothing).await.unwrap().claimed;
    assert_eq!(third.len(), 1);
    assert_eq!(fixture.take_over(&me).await.len(), 1, "and with room in the rate it is taken over at once");
}

pub(crate) async fn rule_3_supervisors_that_claim_at_once_share_a_rate(fixture: Fixture) {
    fixture.limit("mail", rate("3/1h", 5, total(100))).await;
    let all: Vec<NewExecution> = (0..20).map(|_| limited(["mail"])).collect();
    fixture.submit_all(&all).await;
    let mut started = 0;
    for _ in 0..3 {
        let claimants: Vec<_> = (0..4).map(|_| claimant()).collect();
        let polls = claimants.iter().map(|me| fixture.claims(me, 4));
        started += futures_util::future::join_all(polls).await.iter().map(Vec::len).sum::<usize>();
    }
    assert_eq!(started, 5);
}

pub(crate) async fn rule_3_room_and_rate_must_both_let_it_start(fixture: Fixture) {
    let me = claimant();
    fixture.limit("mail", LimitTerms { total: Some(1), ..rate("1/1h", 2, LimitTerms::default()) }).await;
    let all: Vec<NewExecution> = (0..3).map(|_| limited(["mail"])).collect();
    fixture.submit_all(&all).await;
    let first = fixture.claims(&me, 10).await.pop().unwrap();
    assert_eq!(fixture.waits_for(all[1].id).await.as_deref(), Some("limit:mail"));
    fixture.succeed(&me, first).await;
    let second = fixture.claims(&me, 10).await.pop().unwrap();
    fixture.succeed(&me, second).await;
    assert!(fixture.claims(&me, 10).await.is_empty());
    assert_eq!(fixture.waits_for(all[2].id).await.as_deref(), Some("rate:mail:"));
}

pub(crate) async fn rule_3_keys_that_nothing_starts_for_are_forgotten(fixture: Fixture) {
    let me = claimant();
    fixture.limit("mail", rate("1/1s", 1, per_customer(1))).await;
    fixture.submit_all(&[of_customer("mail", "a"), of_customer("mail", "b")]).await;
    assert_eq!(fixture.claims(&me, 10).await.len(), 2);
    let ago = fixture.moment("1000000");
    fixture.sql(&format!("UPDATE limit_rates SET next_at = {ago} WHERE key = 'a'")).await;
    fixture.store.sweep_limits().await.unwrap();
    assert_eq!(fixture.texts("SELECT key FROM limit_rates").await, ["b"]);
}
