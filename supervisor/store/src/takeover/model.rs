//! All orders of events in a small world: two supervisors, one execution, a database and what goes wrong.
//!
//! The rules are those of the product ([`grounds`], and [`Suspects`] for rows that nobody seems to hold); around them
//! stands as much of claim, renewal, take-over, finalization and release as matters. Each guard can be taken out, and
//! then the world must find what it guards against.
//!
//! Time goes in ticks of one renewal period. A supervisor that is not kept from it renews and looks in every tick.

use std::time::Duration;

use muster_core::execution::Attempt;
use stateright::{Checker, HasDiscoveries, Model, Property};
use uuid::Uuid;

use super::{Evidence, Grounds, LockEvidence, ProcessEvidence, SILENCE, grounds};
use crate::unheld_claims::{ClaimsUnderWay, UnheldClaims};

/// One renewal period, which is also how long a silence must last.
const TICK: Duration = SILENCE;
const LEASE: u8 = 3;
/// How long the owner may be frozen: two thirds of a lease.
const FROZEN_MAX: u8 = 2;
/// One tick is the silence that counts.
const SILENT_ENOUGH: u8 = 1;
/// Nothing counts further than this: no rule asks for more.
const COUNT_MAX: u8 = LEASE;
/// After so many ticks in which nothing was in the way, what should have happened must have.
const PATIENCE: u8 = LEASE;

const SAFE: &str = "nothing is taken from a supervisor that lives and reaches the database";
const FENCED: &str = "only what the last attempt wrote is stored";
const PRESENT: &str = "a presence that was lost is taken again";
const RECOVERED: &str = "what a dead supervisor ran is taken over";

/// What the product does; each can be taken out.
#[derive(Clone, Copy, Debug)]
struct Guards {
    /// A lost presence connection is closed before the lock is taken again.
    closed_first: bool,
    /// Only writes of our own are contact.
    only_writes: bool,
    /// A row that was locked when we looked is seen anew.
    locked_is_not_overdue: bool,
    /// A renewal waits for who looks at its row.
    renewal_waits: bool,
    /// A renewal that failed is tried again well within a period.
    renewal_hurries: bool,
    /// What was written is known by attempt.
    keyed_by_attempt: bool,
    /// A stray is looked up again before it is released.
    strays_looked_up: bool,
    /// A beat is a life, whatever became of the lock.
    beats_count: bool,
}

const ALL: Guards = Guards {
    closed_first: true,
    only_writes: true,
    locked_is_not_overdue: true,
    renewal_waits: true,
    renewal_hurries: true,
    keyed_by_attempt: true,
    strays_looked_up: true,
    beats_count: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Database {
    Writes,
    /// It answers, and cannot write: read-only, or its table is locked.
    Refuses,
    Away,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ModelStatus {
    Pending,
    Running,
    Over,
}

/// The two supervisors: one runs, and everything happens to it; the other watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Owner,
    Prober,
}

/// The owner's session that holds its lock, at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ModelSession {
    Held,
    /// The owner has given it up, the server has not.
    Stale,
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Lives,
    Frozen(u8),
    /// It cannot reach the database.
    CutOff,
    Dead,
}

/// What a supervisor holds, one bit for each attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Hands {
    /// Claimed, and the answer is on its way.
    arriving: u8,
    running: u8,
    /// Over, and not committed.
    ended: u8,
}

impl Hands {
    fn all(self) -> u8 {
        self.arriving | self.running | self.ended
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ModelWorld {
    database: Database,
    /// Somebody else has locked the row.
    locked: bool,
    /// The prober has locked it for a look.
    peeked: bool,
    status: ModelStatus,
    attempt: u8,
    owner: Who,
    lease: u8,
    /// Whose writes to state are stored.
    stored: u8,
    life: Life,
    session: ModelSession,
    /// No new presence connection can be made.
    refused: bool,
    /// What was taken from the owner was taken by right: it was out of reach.
    excused: bool,
    hands: [Hands; 2],
    /// A renewal is under way, and found this stray.
    renewal: Option<u8>,
    renewed: bool,
    looked: bool,
    heard: bool,
    silent: u8,
    free: Option<u8>,
    overdue: Option<u8>,
    writes: u8,
    found: Option<Grounds>,
    missing: u8,
    orphaned: u8,
    faults_left: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ModelStep {
    Tick,
    Claim(Who),
    Arrive(Who),
    End(Who),
    Commit(Who),
    GiveBack(Who),
    Renew,
    RenewalAnswered,
    Look,
    TakeOver,
    TakeLock,
    /// The server gives up a session that its client has closed.
    SessionEnds,
    // What goes wrong, and ends.
    Database(Database),
    LockRow(bool),
    Freeze,
    Thaw,
    CutOff,
    Heal,
    Kill,
    Refuse(bool),
}

#[derive(Clone, Copy, Debug)]
struct ModelDelivery {
    guards: Guards,
    /// So much goes wrong at most.
    faults: u8,
    attempts_max: u8,
}

fn bit(attempt: u8) -> u8 {
    1 << attempt
}

fn more(count: u8) -> u8 {
    (count + 1).min(COUNT_MAX)
}

impl ModelWorld {
    fn can_write(&self, who: Who) -> bool {
        self.database == Database::Writes
            && match who {
                Who::Owner => self.life == Life::Lives,
                Who::Prober => true,
            }
    }

    fn hands(&mut self, who: Who) -> &mut Hands {
        &mut self.hands[who as usize]
    }

    fn is_ours(&self, who: Who, attempt: u8) -> bool {
        self.status == ModelStatus::Running && self.owner == who && self.attempt == attempt
    }

    fn claimed(&mut self, who: Who) {
        self.status = ModelStatus::Running;
        self.attempt += 1;
        (self.owner, self.lease) = (who, LEASE);
        let attempt = bit(self.attempt);
        self.hands(who).arriving |= attempt;
    }

    /// The prober's evidence.
    fn evidence(&self, guards: Guards) -> Evidence {
        let ticks = |count: u8| TICK * u32::from(count);
        Evidence {
            process: ProcessEvidence::Unknown,
            lock: if self.session == ModelSession::Free { LockEvidence::Free } else { LockEvidence::Held },
            free_for: ticks(self.free.unwrap_or(0)),
            silent_for: ticks(if guards.beats_count { self.silent } else { SILENT_ENOUGH }),
            overdue_for: self.overdue.map(ticks),
            writes_for: ticks(self.writes),
            server_up_for: Duration::from_secs(1000),
            lease: ticks(LEASE),
        }
    }

    /// Whether what the database gives counts as contact.
    fn contact(&self, guards: Guards) -> bool {
        match self.database {
            Database::Writes => true,
            Database::Refuses => !guards.only_writes,
            Database::Away => false,
        }
    }

    fn look(&mut self, guards: Guards) {
        self.looked = true;
        self.found = None;
        if !self.contact(guards) {
            return;
        }
        if std::mem::take(&mut self.heard) {
            self.silent = 0;
        }
        self.free = (self.session == ModelSession::Free).then(|| self.free.unwrap_or(0));
        let ran_out = self.status == ModelStatus::Running && self.owner == Who::Owner && self.lease == 0;
        let seen = ran_out && !(self.locked && guards.locked_is_not_overdue);
        self.overdue = seen.then(|| self.overdue.unwrap_or(0));
        self.peeked = seen;
        self.found = grounds(&self.evidence(guards)).filter(|_| self.status == ModelStatus::Running);
    }

    /// Whether what was found is so still.
    fn still(&self) -> bool {
        match self.found {
            Some(Grounds::Overdue) => self.lease == 0,
            Some(Grounds::Silent | Grounds::ProcessGone) => self.session == ModelSession::Free && !self.heard,
            None => false,
        }
    }

    fn renew(&mut self, guards: Guards) {
        self.renewed = true;
        if !self.can_write(Who::Owner) {
            return;
        }
        let hands = self.hands[Who::Owner as usize];
        let held = (hands.running | hands.ended) & bit(self.attempt) != 0;
        let ours = self.status == ModelStatus::Running && self.owner == Who::Owner;
        let in_the_way = self.locked || (self.peeked && !guards.renewal_waits);
        if ours && held && !in_the_way {
            (self.lease, self.heard) = (LEASE, true);
        }
        self.renewal = Some(if ours && !held && self.lease <= 1 { self.attempt } else { 0 });
    }

    fn renewal_answered(&mut self, guards: Guards) {
        let Some(stray) = self.renewal.take().filter(|stray| *stray > 0) else { return };
        let hands = self.hands[Who::Owner as usize];
        let mut claims = ClaimsUnderWay::default();
        if hands.arriving != 0 {
            claims.begin();
        }
        let attempt = Attempt::new(Uuid::nil(), u32::from(stray));
        let settled = !UnheldClaims::default().look(&[attempt], &claims).is_empty();
        let unheld = settled && hands.all() & bit(stray) == 0;
        if (unheld || !guards.strays_looked_up) && self.is_ours(Who::Owner, stray) {
            self.status = ModelStatus::Pending;
        }
    }

    /// One group with all that has ended.
    fn commit(&mut self, who: Who, back: bool, guards: Guards) {
        let ended = std::mem::take(&mut self.hands(who).ended);
        if !self.is_ours(who, self.attempt) || ended & bit(self.attempt) == 0 {
            return;
        }
        self.status = if back { ModelStatus::Pending } else { ModelStatus::Over };
        if !back {
            // Known by its id only, the first of the group passes for written too.
            let first = ended.trailing_zeros() as u8;
            self.stored = if guards.keyed_by_attempt { self.attempt } else { first };
        }
    }

    fn tick(&mut self, guards: Guards) {
        if let Life::Frozen(ticks) = &mut self.life {
            *ticks += 1;
        }
        let owner_writes = self.can_write(Who::Owner);
        self.heard |= owner_writes;
        self.lease = self.lease.saturating_sub(1);
        self.silent = SILENT_ENOUGH;
        self.writes = if self.contact(guards) { more(self.writes) } else { 0 };
        (self.overdue, self.free) = (self.overdue.map(more), self.free.map(|_| SILENT_ENOUGH));
        (self.renewed, self.looked, self.peeked) = (false, false, false);
        let should_be_present = owner_writes && !self.refused && self.session != ModelSession::Held;
        self.missing = if should_be_present { more(self.missing) } else { 0 };
        let orphan = self.life == Life::Dead
            && self.status == ModelStatus::Running
            && self.owner == Who::Owner
            && self.can_write(Who::Prober)
            && !self.locked;
        self.orphaned = if orphan { more(self.orphaned) } else { 0 };
    }

    fn goes_wrong(&self, step: ModelStep) -> bool {
        let lives = self.life == Life::Lives;
        match step {
            ModelStep::Database(Database::Refuses | Database::Away) => self.database == Database::Writes,
            ModelStep::LockRow(true) => !self.locked && self.status == ModelStatus::Running,
            ModelStep::Freeze | ModelStep::CutOff | ModelStep::Kill => lives,
            ModelStep::Refuse(true) => lives && !self.refused,
            ModelStep::Database(Database::Writes) | ModelStep::LockRow(false) | ModelStep::Refuse(false) => {
                false
            }
            ModelStep::Tick
            | ModelStep::Renew
            | ModelStep::RenewalAnswered
            | ModelStep::Look
            | ModelStep::TakeOver => false,
            ModelStep::Claim(_)
            | ModelStep::Arrive(_)
            | ModelStep::End(_)
            | ModelStep::Commit(_)
            | ModelStep::GiveBack(_) => false,
            ModelStep::TakeLock | ModelStep::SessionEnds | ModelStep::Thaw | ModelStep::Heal => false,
        }
    }

    fn is_possible(&self, step: ModelStep, model: ModelDelivery) -> bool {
        let guards = model.guards;
        if self.status == ModelStatus::Over {
            return false;
        }
        let lives = |who| who == Who::Prober || self.life == Life::Lives;
        let mut hands = *self;
        let mut held = |who| *hands.hands(who);
        match step {
            // What nothing keeps it from a supervisor does within a tick.
            ModelStep::Tick => {
                let at_rest = self.renewed && self.renewal.is_none() && held(Who::Owner).arriving == 0;
                let recovers = self.life == Life::Dead && self.is_possible(ModelStep::TakeOver, model);
                (self.life != Life::Lives || at_rest)
                    && self.life != Life::Frozen(FROZEN_MAX)
                    && self.looked
                    && !recovers
                    && !self.is_possible(ModelStep::TakeLock, model)
            }
            ModelStep::Claim(who) => {
                let shown = who == Who::Prober || guards.beats_count || self.session == ModelSession::Held;
                self.can_write(who)
                    && shown
                    && self.status == ModelStatus::Pending
                    && self.attempt < model.attempts_max
            }
            ModelStep::Arrive(who) => lives(who) && held(who).arriving != 0,
            ModelStep::End(who) => lives(who) && held(who).running != 0,
            ModelStep::Commit(who) => self.can_write(who) && !self.locked && held(who).ended != 0,
            ModelStep::GiveBack(who) => self.is_possible(ModelStep::Commit(who), model),
            ModelStep::Renew => lives(Who::Owner) && !self.renewed,
            ModelStep::RenewalAnswered => lives(Who::Owner) && self.renewal.is_some(),
            ModelStep::Look => !self.looked,
            ModelStep::TakeOver => {
                let ours = self.status == ModelStatus::Running && self.owner == Who::Owner;
                self.can_write(Who::Prober) && !self.locked && ours && self.still()
            }
            ModelStep::TakeLock => {
                let closed = self.session == ModelSession::Free || guards.closed_first;
                self.can_write(Who::Owner) && self.session != ModelSession::Held && !self.refused && closed
            }
            ModelStep::SessionEnds => self.session == ModelSession::Stale && guards.closed_first,
            ModelStep::Database(Database::Writes) => self.database != Database::Writes,
            ModelStep::LockRow(false) => self.locked,
            ModelStep::Thaw => matches!(self.life, Life::Frozen(_)),
            ModelStep::Heal => self.life == Life::CutOff,
            ModelStep::Refuse(false) => self.refused,
            ModelStep::Database(_)
            | ModelStep::LockRow(_)
            | ModelStep::Freeze
            | ModelStep::CutOff
            | ModelStep::Kill
            | ModelStep::Refuse(_) => self.faults_left > 0 && self.goes_wrong(step),
        }
    }

    fn after(mut self, step: ModelStep, model: ModelDelivery) -> Self {
        let guards = model.guards;
        self.faults_left -= u8::from(self.goes_wrong(step));
        match step {
            ModelStep::Tick => self.tick(guards),
            ModelStep::Claim(who) => self.claimed(who),
            ModelStep::Arrive(who) => {
                let hands = self.hands(who);
                hands.running |= std::mem::take(&mut hands.arriving);
            }
            ModelStep::End(who) => {
                let hands = self.hands(who);
                hands.ended |= std::mem::take(&mut hands.running);
            }
            ModelStep::Commit(who) => self.commit(who, false, guards),
            ModelStep::GiveBack(who) => self.commit(who, true, guards),
            ModelStep::Renew => self.renew(guards),
            ModelStep::RenewalAnswered => self.renewal_answered(guards),
            ModelStep::Look => self.look(guards),
            ModelStep::TakeOver if self.attempt < model.attempts_max => self.claimed(Who::Prober),
            ModelStep::TakeOver => {
                (self.status, self.owner, self.stored) = (ModelStatus::Over, Who::Prober, 0)
            }
            ModelStep::TakeLock => self.session = ModelSession::Held,
            ModelStep::SessionEnds => self.session = ModelSession::Free,
            ModelStep::Database(database) => {
                (self.database, self.missing, self.orphaned) = (database, 0, 0);
                // A tick holds many looks of the product: one of them meets what does not last.
                self.writes = if self.contact(guards) { self.writes } else { 0 };
                self.renewed &= !(guards.renewal_hurries && database == Database::Writes);
                // Who is frozen gives nothing up.
                let notices = database == Database::Away && self.life == Life::Lives;
                if notices && self.session == ModelSession::Held {
                    self.session = ModelSession::Stale;
                }
            }
            ModelStep::LockRow(locked) => {
                (self.locked, self.orphaned) = (locked, 0);
                self.renewed &= locked || !guards.renewal_hurries;
            }
            ModelStep::Freeze => {
                self.life = Life::Frozen(0);
                // Frozen and without a lock it cannot be told from a dead one.
                self.excused |= self.session != ModelSession::Held;
            }
            ModelStep::CutOff => {
                (self.life, self.session, self.excused) = (Life::CutOff, ModelSession::Free, true)
            }
            ModelStep::Thaw | ModelStep::Heal => self.life = Life::Lives,
            ModelStep::Kill => {
                (self.life, self.session, self.renewal) = (Life::Dead, ModelSession::Free, None);
                *self.hands(Who::Owner) = Hands::default();
            }
            ModelStep::Refuse(refused) => {
                self.refused = refused;
                if refused {
                    self.session = ModelSession::Free;
                    self.excused |= matches!(self.life, Life::Frozen(_));
                }
            }
        }
        self
    }

    fn is_safe(&self) -> bool {
        let held = self.hands[Who::Owner as usize].all();
        self.excused || held == 0 || (self.is_ours(Who::Owner, self.attempt) && held == bit(self.attempt))
    }
}

const STEPS: [ModelStep; 29] = [
    ModelStep::Tick,
    ModelStep::Claim(Who::Owner),
    ModelStep::Claim(Who::Prober),
    ModelStep::Arrive(Who::Owner),
    ModelStep::Arrive(Who::Prober),
    ModelStep::End(Who::Owner),
    ModelStep::End(Who::Prober),
    ModelStep::Commit(Who::Owner),
    ModelStep::Commit(Who::Prober),
    ModelStep::GiveBack(Who::Owner),
    ModelStep::GiveBack(Who::Prober),
    ModelStep::Renew,
    ModelStep::RenewalAnswered,
    ModelStep::Look,
    ModelStep::TakeOver,
    ModelStep::TakeLock,
    ModelStep::Database(Database::Writes),
    ModelStep::Database(Database::Refuses),
    ModelStep::Database(Database::Away),
    ModelStep::LockRow(true),
    ModelStep::LockRow(false),
    ModelStep::Freeze,
    ModelStep::Thaw,
    ModelStep::CutOff,
    ModelStep::Heal,
    ModelStep::Kill,
    ModelStep::Refuse(true),
    ModelStep::Refuse(false),
    ModelStep::SessionEnds,
];

impl Model for ModelDelivery {
    type State = ModelWorld;
    type Action = ModelStep;

    fn init_states(&self) -> Vec<ModelWorld> {
        vec![ModelWorld {
            database: Database::Writes,
            locked: false,
            peeked: false,
            status: ModelStatus::Pending,
            attempt: 0,
            owner: Who::Owner,
            lease: 0,
            stored: 0,
            life: Life::Lives,
            session: ModelSession::Held,
            refused: false,
            excused: false,
            hands: [Hands::default(); 2],
            renewal: None,
            renewed: false,
            looked: false,
            heard: false,
            silent: 0,
            free: None,
            overdue: None,
            writes: COUNT_MAX,
            found: None,
            missing: 0,
            orphaned: 0,
            faults_left: self.faults,
        }]
    }

    fn actions(&self, world: &ModelWorld, actions: &mut Vec<ModelStep>) {
        actions.extend(STEPS.iter().copied().filter(|step| world.is_possible(*step, *self)));
    }

    fn next_state(&self, world: &ModelWorld, step: ModelStep) -> Option<ModelWorld> {
        Some(world.after(step, *self))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |_, world: &ModelWorld| world.is_safe()),
            Property::always(FENCED, |_, world: &ModelWorld| {
                world.status != ModelStatus::Over || [0, world.attempt].contains(&world.stored)
            }),
            Property::always(PRESENT, |_, world: &ModelWorld| world.missing < PATIENCE),
            Property::always(RECOVERED, |_, world: &ModelWorld| world.orphaned < PATIENCE),
            Property::sometimes("an execution ends", |_, world: &ModelWorld| {
                world.status == ModelStatus::Over
            }),
        ]
    }
}

/// What goes wrong in this world, shortest way first.
fn found(guards: Guards, faults: u8, attempts_max: u8) -> (Vec<&'static str>, usize) {
    let checker = ModelDelivery { guards, faults, attempts_max }.checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failures = [SAFE, FENCED, PRESENT, RECOVERED].into_iter().filter(|name| {
        let Some(path) = checker.discovery(name) else { return false };
        let steps: Vec<_> = path.into_actions();
        assert!(!steps.is_empty());
        true
    });
    (failures.collect(), checker.unique_state_count())
}

#[test]
fn with_all_guards_nothing_goes_wrong_in_any_order() {
    // Two things that go wrong at a time, or three attempts.
    for (faults, attempts_max) in [(2, 1), (1, 3)] {
        let (failures, states) = found(ALL, faults, attempts_max);
        assert_eq!(failures, Vec::<&str>::new());
        assert!(states > 10_000, "only {states} states: the world has become too small to mean anything");
    }
}

#[track_caller]
fn finds(property: &str, without: Guards) {
    let (failures, _) = found(without, 1, 3);
    assert_eq!(failures, [property]);
}

#[test]
fn fault_a_a_lock_that_waits_for_its_own_session_is_never_taken_again() {
    finds(PRESENT, Guards { closed_first: false, ..ALL });
}

#[test]
fn fault_b_an_answer_that_is_no_write_lets_healthy_runs_be_taken_over() {
    finds(SAFE, Guards { only_writes: false, ..ALL });
}

#[test]
fn fault_b_a_row_somebody_has_locked_is_not_lost() {
    finds(SAFE, Guards { locked_is_not_overdue: false, ..ALL });
}

#[test]
fn fault_b_a_renewal_that_passes_by_what_a_prober_looks_at_loses_it() {
    finds(SAFE, Guards { renewal_waits: false, ..ALL });
}

#[test]
fn fault_b_a_renewal_that_takes_its_time_again_loses_its_row() {
    // It takes a lock that is lost as well: with it there is a lease of time.
    let (failures, _) = found(Guards { renewal_hurries: false, ..ALL }, 2, 1);
    assert_eq!(failures, [SAFE]);
}

#[test]
fn fault_c_a_group_known_by_ids_stores_what_a_superseded_attempt_wrote() {
    finds(FENCED, Guards { keyed_by_attempt: false, ..ALL });
}

#[test]
fn fault_c_a_stray_that_is_not_looked_up_again_is_released_while_it_runs() {
    finds(SAFE, Guards { strays_looked_up: false, ..ALL });
}

#[test]
fn fault_d_a_lock_alone_makes_a_living_supervisor_dead() {
    finds(SAFE, Guards { beats_count: false, ..ALL });
}
