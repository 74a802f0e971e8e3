//! All orders of events at one limit that does not simply let wait: three executions come to two processes, start, end, and
//! what goes wrong between.
//!
//! Who is let in and who makes room is decided by the product ([`LimitEntry`]); around it stands as much of the writing of a
//! row, of claims, outcomes and the sweep as matters. Each guard can be taken out, and then the world must find what it
//! guards against.

use std::collections::{BTreeMap, BTreeSet};

use muster_core::limit::{LimitTerms, OnFull};
use stateright::{Checker, HasDiscoveries, Model, Property};
use uuid::Uuid;

use super::HeldLimit;
use super::on_full::{Entrant, LimitEntry, Newcomer};

/// What the product does; each can be taken out.
#[derive(Clone, Copy, Debug)]
struct EntryGuards {
    /// Whoever decides keeps others from deciding until what came of it is written.
    locked: bool,
    /// Who is let in is noted with the row, before it runs.
    noted_with_the_row: bool,
    /// What somebody had locked when it was to make room is asked again.
    asked_again: bool,
    /// And asked to end, should it run by then, where that is what the decision says.
    asked_though_it_runs: bool,
    /// What runs by then and is to go on leaves less room for others that wait: it is decided about them once more.
    decided_again: bool,
}

const ALL: EntryGuards = EntryGuards {
    locked: true,
    noted_with_the_row: true,
    asked_again: true,
    asked_though_it_runs: true,
    decided_again: true,
};
const EXECUTIONS: usize = 4;
const FAULTS: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EntryRow {
    /// Nobody has submitted it yet.
    Unborn,
    Waiting,
    /// A claim has it in its hands.
    Locked,
    Running {
        is_asked: bool,
    },
    Over,
    /// It was not let in.
    Refused,
    /// It made room.
    Superseded,
}

/// What comes of a decision: whom it is about, and who makes room; of these, who is to do so also when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct EntryDecision {
    execution: usize,
    is_let_in: bool,
    displaced: Vec<(usize, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct EntryWorld {
    rows: [EntryRow; EXECUTIONS],
    /// Who is noted in the limit.
    noted: BTreeSet<usize>,
    /// In which order they came.
    came: Vec<usize>,
    decided: [Option<EntryDecision>; 2],
    /// Who was locked when it was to make room.
    passed_over: BTreeSet<(usize, bool)>,
    faults: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryStep {
    /// A process decides about an execution that comes to it.
    Decide(usize, usize),
    /// It writes what came of it.
    Write(usize),
    /// It dies between.
    Die(usize),
    /// A claim finds one that waits, and holds its row.
    Lock(usize),
    /// The claim is over: it starts if there is room.
    Claim(usize),
    End(usize),
    /// Who was passed over is asked again.
    AskAgain,
    /// Strikes who is noted and over.
    Sweep,
}

fn held() -> HeldLimit {
    HeldLimit { name: "limit".to_owned(), key: String::new() }
}

fn id(execution: usize) -> Uuid {
    Uuid::from_u128(execution as u128)
}

fn number(id: Uuid) -> usize {
    usize::try_from(id.as_u128()).unwrap()
}

impl EntryWorld {
    fn running(&self) -> usize {
        self.rows.iter().filter(|row| matches!(row, EntryRow::Running { .. })).count()
    }

    fn waiting(&self) -> Vec<usize> {
        let waits = |one: &usize| matches!(self.rows[*one], EntryRow::Waiting | EntryRow::Locked);
        (0..EXECUTIONS).filter(waits).collect()
    }

    fn entry(&self, (on_full, most): Policy) -> LimitEntry {
        let terms = LimitTerms { total: Some(most), on_full, ..LimitTerms::default() };
        let entrant = |one: &usize| {
            let (runs, is_asked) = match self.rows[*one] {
                EntryRow::Running { is_asked } => (true, is_asked),
                EntryRow::Waiting | EntryRow::Locked => (false, false),
                EntryRow::Unborn | EntryRow::Over | EntryRow::Refused | EntryRow::Superseded => return None,
            };
            Some(Entrant { id: id(*one), held: held(), runs, is_asked, organization_id: None })
        };
        let entrants = self.came.iter().filter(|one| self.noted.contains(one)).filter_map(entrant).collect();
        LimitEntry::of(BTreeMap::from([(held().name, terms)]), entrants)
    }

    fn decide(&self, execution: usize, policy: Policy) -> EntryDecision {
        let mut entry = self.entry(policy);
        let is_let_in = entry.enter(Newcomer { id: id(execution), organization_id: None }, &[held()]).is_ok();
        let displaced = entry.superseded.iter().chain(&entry.asked);
        let displaced = displaced.map(|one| (number(one.id), one.may_run)).collect();
        EntryDecision { execution, is_let_in, displaced }
    }

    fn write(&mut self, process: usize, guards: EntryGuards) {
        let Some(EntryDecision { execution, is_let_in, displaced }) = self.decided[process].take() else {
            return;
        };
        self.came.push(execution);
        if !is_let_in {
            self.rows[execution] = EntryRow::Refused;
            return;
        }
        self.rows[execution] = EntryRow::Waiting;
        if guards.noted_with_the_row {
            self.noted.insert(execution);
        }
        displaced.into_iter().for_each(|one| self.displace(one, guards));
    }

    fn displace(&mut self, (execution, may_run): (usize, bool), guards: EntryGuards) {
        match self.rows[execution] {
            EntryRow::Waiting => {
                self.rows[execution] = EntryRow::Superseded;
                self.noted.remove(&execution);
            }
            EntryRow::Running { .. } if may_run => {
                self.rows[execution] = EntryRow::Running { is_asked: true };
            }
            EntryRow::Locked if guards.asked_again => {
                self.passed_over.insert((execution, may_run && guards.asked_though_it_runs));
            }
            EntryRow::Locked
            | EntryRow::Unborn
            | EntryRow::Running { .. }
            | EntryRow::Over
            | EntryRow::Refused
            | EntryRow::Superseded => {}
        }
    }

    fn is_possible(&self, step: EntryStep, guards: EntryGuards) -> bool {
        let is_locked = guards.locked && self.decided.iter().any(Option::is_some);
        let is_free = |execution: usize| {
            self.rows[execution] == EntryRow::Unborn
                && self.decided.iter().flatten().all(|decided| decided.execution != execution)
        };
        match step {
            EntryStep::Decide(process, execution) => {
                !is_locked && self.decided[process].is_none() && is_free(execution)
            }
            EntryStep::Write(process) => self.decided[process].is_some(),
            EntryStep::Die(process) => self.decided[process].is_some() && self.faults > 0,
            EntryStep::Lock(execution) => self.rows[execution] == EntryRow::Waiting,
            EntryStep::Claim(execution) => !is_locked && self.rows[execution] == EntryRow::Locked,
            EntryStep::End(execution) => matches!(self.rows[execution], EntryRow::Running { .. }),
            // It is asked until the claim that had it is over.
            EntryStep::AskAgain => {
                !is_locked && self.passed_over.iter().any(|(one, _)| self.rows[*one] != EntryRow::Locked)
            }
            EntryStep::Sweep => !is_locked && self.noted.iter().any(|one| self.rows[*one] == EntryRow::Over),
        }
    }

    fn after(&self, step: EntryStep, guards: EntryGuards, policy: Policy) -> Self {
        let mut world = self.clone();
        match step {
            EntryStep::Decide(process, execution) => {
                world.decided[process] = Some(self.decide(execution, policy));
            }
            EntryStep::Write(process) => world.write(process, guards),
            EntryStep::Die(process) => {
                world.decided[process] = None;
                world.faults -= 1;
            }
            EntryStep::Lock(execution) => world.rows[execution] = EntryRow::Locked,
            EntryStep::Claim(execution) => {
                let has_room = self.running() < usize::try_from(policy.1).unwrap();
                world.rows[execution] =
                    if has_room { EntryRow::Running { is_asked: false } } else { EntryRow::Waiting };
                if has_room {
                    world.noted.insert(execution);
                }
            }
            EntryStep::End(execution) => world.rows[execution] = EntryRow::Over,
            EntryStep::AskAgain => {
                let is_free = |(one, _): &(usize, bool)| self.rows[*one] != EntryRow::Locked;
                for one in self.passed_over.iter().copied().filter(is_free) {
                    world.passed_over.remove(&one);
                    if !guards.decided_again || one.1 || !matches!(self.rows[one.0], EntryRow::Running { .. })
                    {
                        world.displace(one, guards);
                        continue;
                    }
                    let mut entry = world.entry(policy);
                    entry.replace_again(&held());
                    let displaced = entry.superseded.iter().map(|one| (number(one.id), one.may_run));
                    displaced.for_each(|one| world.displace(one, guards));
                }
            }
            EntryStep::Sweep => world.noted.retain(|one| self.rows[*one] != EntryRow::Over),
        }
        world
    }

    /// Nobody is in the middle of anything.
    fn is_at_rest(&self) -> bool {
        self.decided.iter().all(Option::is_none)
            && self.passed_over.is_empty()
            && !self.rows.contains(&EntryRow::Locked)
    }

    /// No more than may be are there.
    fn is_within(&self, (on_full, most): Policy) -> bool {
        let (most, waiting) = (usize::try_from(most).unwrap(), self.waiting().len());
        let asked =
            self.rows.iter().filter(|row| matches!(row, EntryRow::Running { is_asked: true })).count();
        match on_full {
            OnFull::Wait => true,
            // From the moment the row is written.
            OnFull::Reject => self.running() + waiting <= most,
            // Beyond those that have room one waits.
            OnFull::Replace => {
                !self.is_at_rest() || (waiting <= most && self.running() + waiting <= most + 1)
            }
            // Whoever is not on its way out has room, or gets it from one that is.
            OnFull::CancelRunning => !self.is_at_rest() || self.running() - asked + waiting <= most,
        }
    }

    /// Whoever came last is not the one that makes room.
    fn keeps_the_newest(&self) -> bool {
        let makes_room = [EntryRow::Superseded, EntryRow::Running { is_asked: true }];
        self.came.last().is_none_or(|last| !makes_room.contains(&self.rows[*last]))
    }
}

/// What happens when so many are there.
type Policy = (OnFull, u32);

#[derive(Clone, Copy, Debug)]
struct ModelEntry(EntryGuards, Policy);

const WITHIN: &str = "no more than may be are there";
const NEWEST: &str = "the newest is kept";

impl Model for ModelEntry {
    type State = EntryWorld;
    type Action = EntryStep;

    fn init_states(&self) -> Vec<EntryWorld> {
        vec![EntryWorld {
            rows: [EntryRow::Unborn; EXECUTIONS],
            noted: BTreeSet::new(),
            came: Vec::new(),
            decided: [None, None],
            passed_over: BTreeSet::new(),
            faults: FAULTS,
        }]
    }

    fn actions(&self, world: &EntryWorld, actions: &mut Vec<EntryStep>) {
        let executions = || 0..EXECUTIONS;
        let decide = (0..2).flat_map(|process| executions().map(move |one| EntryStep::Decide(process, one)));
        let processes = (0..2).flat_map(|one| [EntryStep::Write(one), EntryStep::Die(one)]);
        let rows =
            executions().flat_map(|one| [EntryStep::Lock(one), EntryStep::Claim(one), EntryStep::End(one)]);
        let all = decide.chain(processes).chain(rows).chain([EntryStep::AskAgain, EntryStep::Sweep]);
        actions.extend(all.filter(|step| world.is_possible(*step, self.0)));
    }

    fn next_state(&self, world: &EntryWorld, step: EntryStep) -> Option<EntryWorld> {
        Some(world.after(step, self.0, self.1))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(WITHIN, |model: &Self, world: &EntryWorld| world.is_within(model.1)),
            Property::always(NEWEST, |_, world: &EntryWorld| world.keeps_the_newest()),
            Property::sometimes("somebody ends", |_, world: &EntryWorld| {
                world.rows.contains(&EntryRow::Over)
            }),
        ]
    }
}

/// What goes wrong in this world, and how many states it has.
fn found(guards: EntryGuards, policy: Policy) -> (Vec<&'static str>, usize) {
    let checker = ModelEntry(guards, policy).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failures = [WITHIN, NEWEST].into_iter().filter(|name| checker.discovery(name).is_some());
    (failures.collect(), checker.unique_state_count())
}

const STRICT: [OnFull; 3] = [OnFull::Reject, OnFull::Replace, OnFull::CancelRunning];

#[test]
fn with_all_guards_no_more_than_may_be_are_there() {
    for (on_full, most) in STRICT.into_iter().flat_map(|on_full| [(on_full, 1), (on_full, 2)]) {
        let (failures, states) = found(ALL, (on_full, most));
        assert_eq!(failures, Vec::<&str>::new(), "{on_full:?} of {most}");
        assert!(states > 1_000, "only {states} states of {on_full:?}: too small to mean anything");
    }
}

#[test]
fn without_a_lock_two_that_come_at_once_do_not_see_each_other() {
    for on_full in STRICT {
        assert!(!found(EntryGuards { locked: false, ..ALL }, (on_full, 1)).0.is_empty(), "{on_full:?}");
    }
}

#[test]
fn who_waits_counts_from_its_row_on() {
    for on_full in STRICT {
        let (failures, _) = found(EntryGuards { noted_with_the_row: false, ..ALL }, (on_full, 1));
        assert_eq!(failures, [WITHIN], "{on_full:?}");
    }
}

#[test]
fn what_was_locked_is_asked_again() {
    for on_full in [OnFull::Replace, OnFull::CancelRunning] {
        let (failures, _) = found(EntryGuards { asked_again: false, ..ALL }, (on_full, 1));
        assert_eq!(failures, [WITHIN], "{on_full:?}");
    }
}

#[test]
fn what_a_claim_took_meanwhile_is_asked_to_end() {
    for most in [1, 2] {
        let guards = EntryGuards { asked_though_it_runs: false, ..ALL };
        let (failures, _) = found(guards, (OnFull::CancelRunning, most));
        assert_eq!(failures, [WITHIN], "of {most}");
    }
}

#[test]
fn what_a_claim_took_meanwhile_leaves_less_room_for_others() {
    let (failures, _) = found(EntryGuards { decided_again: false, ..ALL }, (OnFull::Replace, 2));
    assert_eq!(failures, [WITHIN]);
}
