//! All orders of events at one limit: three executions, two supervisors, and what goes wrong.
//!
//! Who is let in is decided by the product ([`LimitCounts`]); around it stands as much of claim, outcome, tending, sweep and
//! change of a limit as matters. Each guard can be taken out, and then the world must find what it guards against.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::HeldLimit;
use super::admission::{LimitCounts, LimitFill, WaitsFor};

/// What the product does; each can be taken out.
#[derive(Clone, Copy, Debug)]
struct LimitGuards {
    /// Whoever counts keeps others from counting until what came of it is written.
    locked: bool,
    /// Who has left is struck only if it does not run again.
    struck_unless_running: bool,
    /// What was let go is counted once more when it is claimed.
    counted_at_the_claim: bool,
    /// Somebody looks for what was left in the middle.
    swept: bool,
    /// What is noted in a limit is noted with the claim.
    noted_with_the_claim: bool,
    /// Whoever came to stand behind others looks once more whether these have gone.
    tended_after_insert: bool,
    /// Room that was kept for one that waits for something else now is given to the next.
    tended_after_park: bool,
    /// So is the room that a change makes.
    tended_after_change: bool,
}

const ALL: LimitGuards = LimitGuards {
    locked: true,
    struck_unless_running: true,
    counted_at_the_claim: true,
    swept: true,
    noted_with_the_claim: true,
    tended_after_insert: true,
    tended_after_park: true,
    tended_after_change: true,
};

const EXECUTIONS: usize = 3;
/// The first two have the same key.
const KEYS: [&str; EXECUTIONS] = ["a", "a", "b"];
const PER_KEY: u32 = 1;
/// So often something goes wrong, and so often one goes back.
const FAULTS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ModelRow {
    /// Nobody has submitted it yet.
    Unborn,
    /// Whoever submits it has seen what others wait for that it may have to wait for, too: its key, anybody's room, or nothing.
    Looked(Option<bool>),
    Claimable,
    /// It waits for its key, or for anybody's room.
    Parked {
        for_key: bool,
    },
    Running,
    Over,
}

/// Who starts, and who waits, for its key or for anybody's room.
type ModelClaim = (Vec<usize>, Vec<(usize, bool)>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LimitWorld {
    rows: [ModelRow; EXECUTIONS],
    /// What each waited for when it was let go, and was not claimed since: true is its key.
    let_go: [Option<bool>; EXECUTIONS],
    held: BTreeSet<usize>,
    total: u32,
    /// What a supervisor has counted and not written yet: who starts, and who waits for what.
    counted: [Option<ModelClaim>; 2],
    /// They have left, and nobody has tended their limit yet.
    left: BTreeSet<usize>,
    /// Somebody else may have room, and nobody has tended the limit yet.
    has_changed: bool,
    /// Somebody who should have tended it has died.
    has_crashed: bool,
    faults: u8,
    /// More started than the limit said.
    is_above: bool,
    /// After a sweep somebody waits for what has room.
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LimitStep {
    /// Somebody is about to submit it.
    Look(usize),
    /// Its row is there.
    Insert(usize),
    /// A supervisor counts, and decides.
    Count(usize),
    /// It writes what came of it.
    Write(usize),
    /// It dies between.
    Die(usize),
    /// A run is over.
    End(usize),
    /// A run goes back, and is claimable at once.
    Back(usize),
    /// What has left is tended.
    Tend,
    /// Whoever should have tended it has died.
    Forget,
    Sweep,
    /// The limit becomes what it was not.
    Change,
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap()
}

fn held(execution: usize) -> HeldLimit {
    HeldLimit { name: "limit".to_owned(), key: KEYS[execution].to_owned() }
}

fn waits_for(execution: usize, for_key: bool) -> WaitsFor {
    if for_key { WaitsFor::Key(held(execution)) } else { WaitsFor::Limit("limit".to_owned()) }
}

impl LimitWorld {
    fn counts(&self) -> LimitCounts {
        let of_key =
            |key: &str| u32::try_from(self.held.iter().filter(|one| KEYS[**one] == key).count()).unwrap();
        let fill = |execution: usize| LimitFill {
            held: held(execution),
            total: Some(self.total),
            per_key: Some(PER_KEY),
            running: of_key("a") + of_key("b"),
            running_of_key: of_key(KEYS[execution]),
            rate: None,
        };
        LimitCounts::of((0..EXECUTIONS).map(fill).collect())
    }

    fn decide(&self, guards: LimitGuards) -> ModelClaim {
        let mut counts = self.counts();
        let (mut start, mut park) = (Vec::new(), Vec::new());
        for execution in (0..EXECUTIONS).filter(|one| self.rows[*one] == ModelRow::Claimable) {
            let trusted = !guards.counted_at_the_claim && self.let_go[execution].is_some();
            match counts.admit(&[held(execution)]) {
                Some(waits_for) if !trusted => park.push((execution, matches!(waits_for, WaitsFor::Key(_)))),
                Some(_) | None => start.push(execution),
            }
        }
        (start, park)
    }

    fn write(&mut self, supervisor: usize, guards: LimitGuards) {
        let Some((start, park)) = self.counted[supervisor].take() else { return };
        for execution in start {
            // The row itself is locked in any case: who was claimed meanwhile is not claimed again.
            if self.rows[execution] == ModelRow::Claimable {
                self.rows[execution] = ModelRow::Running;
                self.let_go[execution] = None;
                if guards.noted_with_the_claim {
                    self.held.insert(execution);
                }
                let running = |key: Option<&str>| {
                    let runs = |one: &usize| self.rows[*one] == ModelRow::Running;
                    (0..EXECUTIONS).filter(runs).filter(|one| key.is_none_or(|key| KEYS[*one] == key)).count()
                };
                self.is_above |=
                    running(None) > count(self.total) || running(Some(KEYS[execution])) > count(PER_KEY);
            }
        }
        for (execution, for_key) in park {
            if self.rows[execution] == ModelRow::Claimable {
                self.rows[execution] = ModelRow::Parked { for_key };
                self.let_go[execution] = None;
                self.has_changed |= guards.tended_after_park;
            }
        }
    }

    fn look(&mut self, execution: usize) {
        let is_waited_for = |for_key: bool| {
            let reason = waits_for(execution, for_key);
            let waits = |one: usize| matches!(self.rows[one], ModelRow::Parked { for_key } if waits_for(one, for_key) == reason);
            (0..EXECUTIONS).any(waits)
        };
        self.rows[execution] = ModelRow::Looked([true, false].into_iter().find(|one| is_waited_for(*one)));
    }

    fn insert(&mut self, execution: usize, guards: LimitGuards) {
        let ModelRow::Looked(behind) = self.rows[execution] else { return };
        self.has_changed |= behind.is_some() && guards.tended_after_insert;
        self.rows[execution] = behind.map_or(ModelRow::Claimable, |for_key| ModelRow::Parked { for_key });
    }

    /// Nobody does anything, and everything that was begun is done.
    fn is_at_rest(&self) -> bool {
        let is_settled = |row: &ModelRow| match row {
            ModelRow::Looked(_) | ModelRow::Claimable => false,
            ModelRow::Unborn | ModelRow::Parked { .. } | ModelRow::Running | ModelRow::Over => true,
        };
        self.counted.iter().all(Option::is_none)
            && self.left.is_empty()
            && !self.has_changed
            && self.rows.iter().all(is_settled)
    }

    /// By the rows themselves, whatever was noted.
    fn somebody_waits_for_room(&self) -> bool {
        let runs = |one: &usize| self.rows[*one] == ModelRow::Running;
        let is_free = (0..EXECUTIONS).filter(runs).count() < count(self.total);
        let key_is_free =
            |key: &str| (0..EXECUTIONS).filter(runs).filter(|one| KEYS[*one] == key).count() < count(PER_KEY);
        (0..EXECUTIONS).any(|one| match self.rows[one] {
            ModelRow::Parked { for_key: true } => key_is_free(KEYS[one]),
            ModelRow::Parked { for_key: false } => is_free,
            ModelRow::Unborn
            | ModelRow::Looked(_)
            | ModelRow::Claimable
            | ModelRow::Running
            | ModelRow::Over => false,
        })
    }

    fn tend(&mut self, struck: BTreeSet<usize>, guards: LimitGuards) {
        for execution in struck {
            if self.rows[execution] != ModelRow::Running || !guards.struck_unless_running {
                self.held.remove(&execution);
            }
        }
        for reason in [waits_for(0, true), waits_for(2, true), waits_for(0, false)] {
            let mut room = self.room(&reason);
            for execution in 0..EXECUTIONS {
                let ModelRow::Parked { for_key } = self.rows[execution] else { continue };
                if room > 0 && waits_for(execution, for_key) == reason {
                    self.rows[execution] = ModelRow::Claimable;
                    self.let_go[execution] = Some(for_key);
                    room -= 1;
                }
            }
        }
    }

    /// What may be let go now, less what was.
    fn room(&self, reason: &WaitsFor) -> u32 {
        let gone = (0..EXECUTIONS).filter(|one| self.rows[*one] == ModelRow::Claimable);
        let gone = gone.filter(|one| self.let_go[*one].is_some_and(|key| waits_for(*one, key) == *reason));
        self.counts().room(reason).saturating_sub(u32::try_from(gone.count()).unwrap())
    }

    fn is_possible(&self, step: LimitStep, guards: LimitGuards) -> bool {
        let is_locked = guards.locked && self.counted.iter().any(Option::is_some);
        match step {
            LimitStep::Look(execution) => self.rows[execution] == ModelRow::Unborn,
            LimitStep::Insert(execution) => matches!(self.rows[execution], ModelRow::Looked(_)),
            LimitStep::Count(supervisor) => !is_locked && self.counted[supervisor].is_none(),
            LimitStep::Write(supervisor) => self.counted[supervisor].is_some(),
            LimitStep::Die(supervisor) => self.counted[supervisor].is_some() && self.faults > 0,
            LimitStep::End(execution) => self.rows[execution] == ModelRow::Running,
            LimitStep::Back(execution) => self.rows[execution] == ModelRow::Running && self.faults > 0,
            LimitStep::Tend => !is_locked && (!self.left.is_empty() || self.has_changed),
            LimitStep::Forget => (!self.left.is_empty() || self.has_changed) && self.faults > 0,
            LimitStep::Sweep => !is_locked,
            LimitStep::Change => !is_locked && self.faults > 0,
        }
    }

    fn after(&self, step: LimitStep, guards: LimitGuards) -> Self {
        let mut world = self.clone();
        world.is_stuck = false;
        match step {
            LimitStep::Look(execution) => world.look(execution),
            LimitStep::Insert(execution) => world.insert(execution, guards),
            LimitStep::Count(supervisor) => world.counted[supervisor] = Some(self.decide(guards)),
            LimitStep::Write(supervisor) => world.write(supervisor, guards),
            LimitStep::Die(supervisor) => {
                world.counted[supervisor] = None;
                world.faults -= 1;
            }
            LimitStep::End(execution) => {
                world.rows[execution] = ModelRow::Over;
                world.left.insert(execution);
            }
            LimitStep::Back(execution) => {
                world.rows[execution] = ModelRow::Claimable;
                world.left.insert(execution);
                world.faults -= 1;
            }
            LimitStep::Tend => {
                let left = std::mem::take(&mut world.left);
                world.has_changed = false;
                world.tend(left, guards);
            }
            LimitStep::Forget => {
                world.left.clear();
                (world.has_changed, world.has_crashed) = (false, true);
                world.faults -= 1;
            }
            LimitStep::Sweep => {
                if guards.swept {
                    let runs = |one: &usize| self.rows[*one] == ModelRow::Running;
                    let gone = self.held.iter().copied().filter(|one| !runs(one)).collect();
                    world.tend(gone, guards);
                }
                let is_busy = !world.left.is_empty() || world.rows.contains(&ModelRow::Claimable);
                world.is_stuck = !is_busy && world.somebody_waits_for_room();
            }
            LimitStep::Change => {
                world.total = 3 - self.total;
                world.has_changed |= guards.tended_after_change;
                world.faults -= 1;
            }
        }
        world
    }
}

#[derive(Clone, Copy, Debug)]
struct ModelLimit(LimitGuards);

const EXACT: &str = "no more start than the limit says";
const LIVE: &str = "after a sweep nobody waits for what has room";
const PROMPT: &str = "where nobody died nobody waits for a sweep";

impl Model for ModelLimit {
    type State = LimitWorld;
    type Action = LimitStep;

    fn init_states(&self) -> Vec<LimitWorld> {
        vec![LimitWorld {
            rows: [ModelRow::Claimable, ModelRow::Unborn, ModelRow::Unborn],
            let_go: [None; EXECUTIONS],
            held: BTreeSet::new(),
            total: 1,
            counted: [None, None],
            left: BTreeSet::new(),
            has_changed: false,
            has_crashed: false,
            faults: FAULTS,
            is_above: false,
            is_stuck: false,
        }]
    }

    fn actions(&self, world: &LimitWorld, actions: &mut Vec<LimitStep>) {
        let supervisors =
            (0..2).flat_map(|one| [LimitStep::Count(one), LimitStep::Write(one), LimitStep::Die(one)]);
        let executions = (0..EXECUTIONS).flat_map(|one| {
            [LimitStep::Look(one), LimitStep::Insert(one), LimitStep::End(one), LimitStep::Back(one)]
        });
        let others = [LimitStep::Tend, LimitStep::Forget, LimitStep::Sweep, LimitStep::Change];
        let all = supervisors.chain(executions).chain(others);
        actions.extend(all.filter(|step| world.is_possible(*step, self.0)));
    }

    fn next_state(&self, world: &LimitWorld, step: LimitStep) -> Option<LimitWorld> {
        Some(world.after(step, self.0))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EXACT, |_, world: &LimitWorld| !world.is_above),
            Property::always(LIVE, |_, world: &LimitWorld| !world.is_stuck),
            Property::always(PROMPT, |_, world: &LimitWorld| {
                world.has_crashed || !world.is_at_rest() || !world.somebody_waits_for_room()
            }),
            Property::sometimes("all end", |_, world: &LimitWorld| {
                world.rows == [ModelRow::Over; EXECUTIONS]
            }),
        ]
    }
}

/// What goes wrong in this world, and how many states it has.
fn found(guards: LimitGuards) -> (Vec<&'static str>, usize) {
    let checker = ModelLimit(guards).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failures = [EXACT, LIVE, PROMPT].into_iter().filter(|name| checker.discovery(name).is_some());
    (failures.collect(), checker.unique_state_count())
}

#[test]
fn with_all_guards_a_limit_is_exact_and_lets_nobody_wait_for_nothing() {
    let (failures, states) = found(ALL);
    assert_eq!(failures, Vec::<&str>::new());
    assert!(states > 1_000, "only {states} states: the world has become too small to mean anything");
}

#[track_caller]
fn finds(property: &str, without: LimitGuards) {
    assert_eq!(found(without).0, [property]);
}

#[test]
fn without_a_lock_two_supervisors_count_the_same_room() {
    finds(EXACT, LimitGuards { locked: false, ..ALL });
}

#[test]
fn one_that_runs_again_is_not_struck_for_having_left_before() {
    finds(EXACT, LimitGuards { struck_unless_running: false, ..ALL });
}

#[test]
fn what_was_let_go_is_counted_at_the_claim() {
    finds(EXACT, LimitGuards { counted_at_the_claim: false, ..ALL });
}

#[test]
fn who_runs_is_noted_with_the_claim() {
    finds(EXACT, LimitGuards { noted_with_the_claim: false, ..ALL });
}

#[test]
fn without_a_sweep_a_crash_leaves_somebody_waiting() {
    finds(LIVE, LimitGuards { swept: false, ..ALL });
}

#[test]
fn whoever_comes_to_stand_behind_others_looks_whether_they_have_gone() {
    finds(PROMPT, LimitGuards { tended_after_insert: false, ..ALL });
}

#[test]
fn room_that_was_kept_for_one_that_waits_elsewhere_is_given_on() {
    finds(PROMPT, LimitGuards { tended_after_park: false, ..ALL });
}

#[test]
fn room_that_a_change_makes_is_given_out() {
    finds(PROMPT, LimitGuards { tended_after_change: false, ..ALL });
}
