//! Situations that nobody thought of: chance submits, claims, ends, kills, lets expire, changes limits, pauses and dies in the middle, and
//! at each step everything that waits is asked why. What it says must be what the next claim does; no claim may take more
//! than a limit says; and at the end nobody waits for what has room. Where nobody died that holds without a sweep, which
//! would mend, and hide, a wake-up that was forgotten.
//!
//! A failing seed is printed, and played again with `MUSTER_SITUATIONS_SEED`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use muster_core::execution::{Attempt, Status};
use muster_core::limit::{ConcurrencyTerms, LimitTerms, OnFull};
use muster_store::{
    Claimant, HeldLimit, NewExecution, PauseTarget, ShareBook, Submitted, TakeOver, WorkflowTerms,
};
use muster_supervisor::api::{ReasonKind, ReasonView};
use muster_supervisor::service::reasons_of;
use uuid::Uuid;

use crate::fixture::{Fixture, QUEUE, claimant, new_execution, raw, retry, serving, success};
use crate::workflow_limits::{GREET, greet};

/// So many rows that wait are asked why, at least; `MUSTER_TEST_SCALE` multiplies it.
const QUESTIONS: usize = 250;
const STEPS: usize = 30;
/// After so many rounds of sweep and claim nothing may change any more.
const ROUNDS: usize = 30;
const LIMITS: [&str; 3] = ["a", "b", "c"];
const OTHER_QUEUE: &str = "other";

/// One schedule, as it is played.
struct PlayedSchedule<'a> {
    fixture: &'a Fixture,
    random: fastrand::Rng,
    /// The second serves both queues.
    supervisors: [Claimant; 2],
    running: Vec<(usize, Attempt)>,
    submitted: Vec<Uuid>,
    /// Supervisors die, and what they left in the middle is swept up.
    is_mortal: bool,
    paused: BTreeSet<PauseTarget>,
    limits: BTreeMap<&'static str, LimitTerms>,
    /// So many started for a key since its limit was changed last.
    starts: BTreeMap<HeldLimit, u32>,
    questions: usize,
    happened: Vec<String>,
}

pub(crate) async fn rule_17_what_is_said_of_who_waits_is_what_the_next_claim_does(fixture: Fixture) {
    let seed = std::env::var("MUSTER_SITUATIONS_SEED").ok().and_then(|text| text.parse().ok());
    let scale: usize =
        std::env::var("MUSTER_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut questions = 0;
    while questions < QUESTIONS * scale {
        let played = seed.unwrap_or_else(|| fastrand::u64(..));
        questions += play(&fixture, played).await;
        if seed.is_some() {
            break;
        }
    }
}

async fn play(fixture: &Fixture, seed: u64) -> usize {
    fixture
        .sql(
            "DELETE FROM executions; DELETE FROM limit_holders; DELETE FROM limits; DELETE FROM limit_rates; \
             DELETE FROM pauses",
        )
        .await;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut schedule = PlayedSchedule {
        fixture,
        is_mortal: random.bool(),
        paused: BTreeSet::new(),
        random,
        supervisors: [claimant(), serving([QUEUE, OTHER_QUEUE])],
        running: Vec::new(),
        submitted: Vec::new(),
        limits: BTreeMap::new(),
        starts: BTreeMap::new(),
        questions: 0,
        happened: vec![format!("MUSTER_SITUATIONS_SEED={seed}")],
    };
    fixture.define(greet(WorkflowTerms::default())).await;
    for _ in 0..STEPS {
        schedule.step().await;
    }
    schedule.drain().await;
    schedule.questions
}

impl PlayedSchedule<'_> {
    async fn step(&mut self) {
        let what = self.random.u32(..24);
        self.happened.push(format!("step {what}"));
        match what {
            0..=4 => self.submit().await,
            5..=7 => {
                let (who, most) = (self.random.usize(..2), self.random.usize(1..=4));
                self.claim(who, most, TakeOver::Nothing).await;
            }
            8..=10 => self.end(false).await,
            11 => self.end(true).await,
            12 if self.is_mortal => self.crash_after_an_outcome().await,
            13 if self.is_mortal => self.die().await,
            14 => self.cancel().await,
            15..=16 => self.change_a_limit().await,
            17 => drop(self.sweep().await),
            18 => self.ask_who_is_next().await,
            19 => self.pause_or_resume().await,
            20 => self.change_the_workflow().await,
            21 => self.expire_one().await,
            _ => self.ask().await,
        }
    }

    async fn submit(&mut self) {
        for _ in 0..self.random.usize(1..=4) {
            let mut new = new_execution();
            let customer = self.random.usize(..3);
            new.request = raw(&format!(
                r#"{{"execution_id":"{}","workflow":"greet","parameters":{{"customer":"{customer}"}}}}"#,
                new.id
            ));
            let limits: Vec<String> =
                LIMITS.iter().filter(|_| self.random.u32(..5) < 2).map(|name| (*name).to_owned()).collect();
            let organization = self.random.u128(..3);
            let new = NewExecution {
                limits,
                organization_id: (organization > 0).then(|| Uuid::from_u128(organization)),
                priority: self.random.u8(..3),
                queue: Some(if self.random.u32(..5) == 0 { OTHER_QUEUE } else { QUEUE }.to_owned()),
                delay: std::time::Duration::from_secs(if self.random.u32(..10) == 0 { 3600 } else { 0 }),
                ..new
            };
            self.happened.push(format!("  {} {:?} {:?}", new.id, new.limits, new.queue));
            self.enter(new).await;
        }
    }

    /// Submits one, and holds what came of it to what its limits say of those that come when they are full.
    async fn enter(&mut self, new: NewExecution) {
        let id = new.id;
        let is_refusable = self.random.bool();
        let before = self.entrants().await;
        let answer =
            self.fixture.store.submit(&[if is_refusable { new.refusable() } else { new }]).await.unwrap();
        if let [Submitted::LimitReached { limit, .. }] = &answer[..] {
            self.assert_full(limit, &before);
            return;
        }
        self.submitted.push(id);
        let row = self.fixture.row(id).await;
        if row.status == Status::Failed {
            assert_eq!(row.error_type.as_deref(), Some("LimitReached"), "{:#?}", self.happened);
            assert!(!is_refusable, "whoever hears it at once has no row: {:#?}", self.happened);
            return;
        }
        for held in &row.limits {
            let Some(terms) = self.limits.get(held.name.as_str()) else { continue };
            if terms.on_full == OnFull::Reject {
                let count = |of_key| entrants_of(&before, held, of_key);
                let had_room = terms.total.is_none_or(|most| count(false) < most)
                    && terms.per_key.is_none_or(|most| count(true) < most);
                assert!(had_room, "it was let in to a full {held:?}: {terms:?}\n{:#?}", self.happened);
            }
        }
    }

    /// Who is let in, by what is noted: whoever waits or runs in limits that count them.
    async fn entrants(&self) -> Vec<HeldLimit> {
        let noted = "SELECT limit_name || '/' || key FROM limit_holders JOIN executions \
                     ON CAST(executions.id AS TEXT) = CAST(execution_id AS TEXT) WHERE status IN ('PENDING', 'RUNNING')";
        let split = |text: &String| {
            let (name, key) = text.split_once('/').unwrap();
            HeldLimit { name: name.to_owned(), key: key.to_owned() }
        };
        self.fixture.texts(noted).await.iter().map(split).collect()
    }

    fn assert_full(&self, limit: &str, entrants: &[HeldLimit]) {
        let terms = &self.limits[limit];
        assert_eq!(terms.on_full, OnFull::Reject, "{:#?}", self.happened);
        let in_all = entrants.iter().filter(|held| held.name == limit).count();
        let may_be_full = terms.per_key.is_some()
            || terms.total.is_some_and(|most| in_all >= usize::try_from(most).unwrap());
        assert!(may_be_full, "{limit} refused with {in_all} in it: {terms:?}\n{:#?}", self.happened);
    }

    /// Claims, and holds what came of it to what the limits say.
    async fn claim(&mut self, who: usize, most: usize, take_over: TakeOver<'_>) -> HashSet<Uuid> {
        // Who waits is remembered for a moment; here everybody looks again.
        let me = Claimant { shares: ShareBook::default(), ..self.supervisors[who].clone() };
        let due = self.fixture.store.claim_due(&me, most, take_over).await.unwrap();
        let taken: HashSet<Uuid> = due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect();
        // What was lost, and must not run again, ended: it was cancelled, or it was lost once too often.
        let ended = due.ended.iter().map(|(id, _)| *id);
        let gone: HashSet<Uuid> = taken.iter().copied().chain(ended).collect();
        self.running.retain(|(_, attempt)| !gone.contains(&attempt.execution_id));
        self.running.extend(due.claimed.iter().map(|claimed| (who, claimed.attempt)));
        if matches!(take_over, TakeOver::Nothing) {
            self.assert_within_limits(&taken).await;
        }
        self.assert_within_rates(&taken).await;
        taken
    }

    /// Lowering a limit ends nothing, so only those limits are looked at that let somebody in just now.
    async fn assert_within_limits(&self, taken: &HashSet<Uuid>) {
        let mut entered = HashSet::new();
        let (mut in_all, mut of_key) = (BTreeMap::<String, u32>::new(), BTreeMap::<HeldLimit, u32>::new());
        for (_, attempt) in &self.running {
            for held in self.fixture.row(attempt.execution_id).await.limits {
                *in_all.entry(held.name.clone()).or_default() += 1;
                *of_key.entry(held.clone()).or_default() += 1;
                if taken.contains(&attempt.execution_id) {
                    entered.insert(held);
                }
            }
        }
        for held in entered {
            let Some(terms) = self.limits.get(held.name.as_str()) else { continue };
            let (in_all, of_key) = (in_all[&held.name], of_key[&held]);
            let is_within = terms.total.is_none_or(|most| in_all <= most)
                && terms.per_key.is_none_or(|most| of_key <= most);
            assert!(is_within, "{in_all} and {of_key} of {held:?} run: {terms:?}\n{:#?}", self.happened);
        }
    }

    /// A period is an hour, so since a limit was changed no more start for a key than may early.
    async fn assert_within_rates(&mut self, taken: &HashSet<Uuid>) {
        for id in taken {
            for held in self.fixture.row(*id).await.limits {
                let Some(terms) = self.limits.get(held.name.as_str()).filter(|terms| terms.rate.is_some())
                else {
                    continue;
                };
                let most = terms.burst.unwrap_or(1);
                let count = self.starts.entry(held.clone()).or_default();
                *count += 1;
                let count = *count;
                assert!(count <= most, "{count} of {most} of {held:?} started\n{:#?}", self.happened);
            }
        }
    }

    async fn end(&mut self, again: bool) {
        if self.running.is_empty() {
            return;
        }
        let (who, attempt) = self.running.swap_remove(self.random.usize(..self.running.len()));
        let me = &self.supervisors[who];
        let ending = if again { retry(me, attempt) } else { success(me, attempt) };
        self.fixture.finalize(ending).await;
    }

    /// The outcome is written, and whoever should have tended the limits is gone.
    async fn crash_after_an_outcome(&mut self) {
        let Some((_, attempt)) = self.running.pop() else { return };
        let id = attempt.execution_id;
        let sql =
            format!("UPDATE executions SET status = 'SUCCESS', completed_at = created_at WHERE id = '{id}'");
        self.fixture.sql(&sql).await;
    }

    /// A supervisor dies and comes back, and the one that serves all queues takes over what was lost, and what was not.
    async fn die(&mut self) {
        let dead = self.random.usize(..2);
        self.supervisors[dead].owner = Uuid::now_v7();
        self.claim(1, 1000, TakeOver::AllOthers).await;
        // What is paused, or has a rate that lets none start now, waits again and is nobody's.
        for (who, attempt) in std::mem::take(&mut self.running) {
            if self.fixture.status(attempt.execution_id).await == Status::Running {
                self.running.push((who, attempt));
            }
        }
    }

    async fn cancel(&mut self) {
        let Some(id) = self.random.choice(self.submitted.clone()) else { return };
        self.fixture.store.request_cancel(id).await.unwrap();
    }

    async fn change_a_limit(&mut self) {
        let name = LIMITS[self.random.usize(..LIMITS.len())];
        if self.random.u32(..6) == 0 {
            self.limits.remove(name);
            self.starts.retain(|held, _| held.name != name);
            self.fixture.store.remove_limit(name).await.unwrap();
            return;
        }
        let mut number = |most| (self.random.u32(..4) > 0).then(|| self.random.u32(..=most));
        let (total, per_key) = (number(4), number(2));
        let key = if name == "a" { "organization" } else { "parameters.customer" }.parse().unwrap();
        let terms = LimitTerms {
            total: total.or(per_key.is_none().then_some(1)),
            per_key,
            key,
            // Of a rate it is the first starts that are seen: the next is an hour away.
            rate: (self.random.u32(..5) == 0).then(|| "1/3600s".parse().unwrap()),
            ..LimitTerms::default()
        };
        let burst = terms.rate.and(Some(self.random.u32(1..=4)));
        let on_full = match self.random.u32(..8) {
            0 | 1 => OnFull::Reject,
            2 => OnFull::Replace,
            3 => OnFull::CancelRunning,
            _ => OnFull::Wait,
        };
        let terms = LimitTerms { burst, on_full, ..terms };
        self.starts.retain(|held, _| held.name != name);
        self.happened.push(format!("  limit {name} {terms:?}"));
        self.fixture.store.set_limit(name, &terms).await.unwrap();
        self.limits.insert(name, terms);
    }

    /// All of them are of one workflow, whose row says how many of it may run: what waits already obeys that, too.
    async fn change_the_workflow(&mut self) {
        let total = (self.random.u32(..4) > 0).then(|| self.random.u32(..=3));
        self.happened.push(format!("  {GREET} {total:?}"));
        let concurrency =
            total.map(|total| ConcurrencyTerms { total: Some(total), ..ConcurrencyTerms::default() });
        self.fixture.define(greet(WorkflowTerms { concurrency, ..WorkflowTerms::default() })).await;
        match total {
            Some(total) => {
                self.limits.insert(GREET, LimitTerms { total: Some(total), ..LimitTerms::default() })
            }
            None => self.limits.remove(GREET),
        };
    }

    /// The time of one that waits is up, also of one that was let go to where there is room.
    async fn expire_one(&mut self) {
        let Some(id) = self.random.choice(self.pending().await) else { return };
        self.happened.push(format!("  expires {id}"));
        let began = self.fixture.moment("1700000000000000");
        let sql =
            format!("UPDATE executions SET expires_at = {began} WHERE id = '{id}' AND attempts_charged = 0");
        self.fixture.sql(&sql).await;
        self.fixture.store.expire(&self.supervisors[0], 1000).await.unwrap();
    }

    async fn sweep(&self) -> usize {
        if !self.is_mortal {
            return 0;
        }
        self.fixture.store.sweep_limits().await.unwrap().let_go
    }

    async fn pause_or_resume(&mut self) {
        if let Some(target) = self.paused.pop_first() {
            self.happened.push(format!("  resumed {target}"));
            self.resume(&target).await;
            return;
        }
        let organization = format!("organization:{}", Uuid::from_u128(self.random.u128(1..3)));
        let targets = ["all", "workflow:greet", "queue:other", &organization];
        let target: PauseTarget = targets[self.random.usize(..targets.len())].parse().unwrap();
        self.happened.push(format!("  paused {target}"));
        self.fixture.store.pause(&target, "anna", None).await.unwrap();
        self.paused.insert(target);
        if self.random.bool() {
            return;
        }
        // Whoever hears of it takes out what waits; else a claim meets it.
        for target in self.fixture.store.newly_paused() {
            let mut behind = None;
            while let Some(place) = self.fixture.store.park_paused(&target, behind).await.unwrap() {
                behind = Some(place);
            }
        }
    }

    async fn resume(&self, target: &PauseTarget) {
        assert!(self.fixture.store.resume(target, "anna").await.unwrap(), "{target} was paused");
        while self.fixture.store.let_go_resumed().await.unwrap() > 0 {}
    }

    async fn pending(&self) -> Vec<Uuid> {
        let ids =
            self.fixture.texts("SELECT CAST(id AS TEXT) FROM executions WHERE status = 'PENDING'").await;
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    async fn reasons(&mut self, who: usize, id: Uuid) -> Vec<ReasonView> {
        self.questions += 1;
        let record = self.fixture.row(id).await;
        reasons_of(&*self.fixture.store, &self.supervisors[who], &record).await.unwrap()
    }

    /// Everything that waits says why; then it is the turn of a claim for which there is a worker for everybody.
    async fn ask(&mut self) {
        let who = self.random.usize(..2);
        let mut said = Vec::new();
        for id in self.pending().await {
            said.push((id, self.reasons(who, id).await));
        }
        let taken = self.claim(who, 1000, TakeOver::Nothing).await;
        for (id, reasons) in said {
            let is_taken = taken.contains(&id);
            let context = format!("{id} said {reasons:#?}\n{:#?}", self.happened);
            if is_kept(&reasons) {
                assert!(!is_taken, "it was kept, and was taken all the same: {context}");
            } else if !is_taken && !reasons.iter().any(may_be_passed_over) {
                // Nothing kept it. Whoever took the last room must be one of those that were taken now.
                let after = self.reasons(who, id).await;
                let is_full = |one: &ReasonView| one.kind == ReasonKind::LimitFull && one.is_blocking;
                let is_beaten = after.iter().any(is_full) && !taken.is_empty();
                assert!(is_beaten, "nothing kept it, and it was not taken: {context}\nnow {after:#?}");
            }
        }
        self.settle(who).await;
        for id in self.pending().await {
            let reasons = self.reasons(who, id).await;
            assert!(is_kept(&reasons), "it waits for nothing: {id} {reasons:#?}\n{:#?}", self.happened);
        }
    }

    /// There is one worker: whoever it takes has nobody before it, of its organization in its queue, but those that were kept.
    async fn ask_who_is_next(&mut self) {
        let who = self.random.usize(..2);
        let (mut kept, mut ahead) = (BTreeMap::new(), BTreeMap::new());
        for id in self.pending().await {
            let (row, reasons) = (self.fixture.row(id).await, self.reasons(who, id).await);
            ahead.insert(id, self.fixture.store.ahead(id).await.unwrap());
            if row.waits_for.is_none() && is_kept(&reasons) {
                *kept.entry((row.organization_id, row.queue)).or_default() += 1;
            }
        }
        for id in self.claim(who, 1, TakeOver::Nothing).await {
            let row = self.fixture.row(id).await;
            let kept: u64 = kept.get(&(row.organization_id, row.queue)).copied().unwrap_or_default();
            let before = ahead[&id];
            assert!(
                before <= kept,
                "{id} was taken before {before}, {kept} of them kept: {:#?}",
                self.happened
            );
        }
    }

    /// Sweeps and claims until nothing changes any more.
    async fn settle(&mut self, who: usize) {
        for _ in 0..ROUNDS {
            let let_go = self.sweep().await;
            let taken = self.claim(who, 1000, TakeOver::Nothing).await;
            if taken.is_empty() && let_go == 0 {
                return;
            }
        }
        panic!("it does not come to rest: {:#?}", self.happened);
    }

    /// Everything ends; what waits still may wait for nothing but its moment or a limit that lets nobody in.
    async fn drain(&mut self) {
        for target in std::mem::take(&mut self.paused) {
            self.resume(&target).await;
        }
        for _ in 0..ROUNDS * 4 {
            self.settle(1).await;
            if self.running.is_empty() {
                break;
            }
            while !self.running.is_empty() {
                self.end(false).await;
            }
        }
        for id in self.pending().await {
            let reasons = self.reasons(1, id).await;
            let row = self.fixture.row(id).await;
            let is_closed = |held: &HeldLimit| {
                let terms = self.limits.get(held.name.as_str());
                terms.is_some_and(|terms| {
                    terms.total == Some(0) || terms.per_key == Some(0) || terms.rate.is_some()
                })
            };
            let is_later = reasons.iter().any(|reason| reason.kind == ReasonKind::StartsLater);
            assert!(
                is_later || row.limits.iter().any(is_closed),
                "it waits for ever: {row:?} {reasons:#?}\n{:#?}",
                self.happened
            );
        }
        let left = self.fixture.texts("SELECT CAST(count(*) AS TEXT) FROM limit_holders WHERE runs").await;
        assert_eq!(left, ["0"], "{:#?}", self.happened);
        let running = self.fixture.store.limit_uses().await.unwrap();
        assert!(running.iter().all(|used| used.running == 0), "{running:?}");
        for id in &self.submitted {
            assert_ne!(self.fixture.status(*id).await, Status::Running);
        }
    }
}

fn entrants_of(entrants: &[HeldLimit], held: &HeldLimit, of_key: bool) -> u32 {
    let is_meant = |one: &&HeldLimit| one.name == held.name && (!of_key || one.key == held.key);
    u32::try_from(entrants.iter().filter(is_meant).count()).unwrap()
}

/// What keeps it whatever the claim has room for.
fn is_kept(reasons: &[ReasonView]) -> bool {
    let keeps =
        [ReasonKind::StartsLater, ReasonKind::LimitFull, ReasonKind::QueueNotServed, ReasonKind::Paused];
    reasons.iter().any(|reason| reason.is_blocking && keeps.contains(&reason.kind))
}

/// It goes when those before it have gone, or when it is let go: the rounds that follow look at that.
fn may_be_passed_over(reason: &ReasonView) -> bool {
    reason.is_blocking || reason.kind == ReasonKind::LimitFull
}
