//! All orders of events at one rate: three executions, two supervisors, a clock, and what goes wrong between.
//!
//! Who may start is decided by the product ([`LimitCounts`], [`RateState`]); around it stands as much of claims, of whoever
//! wakes those that wait, and of the sweep as matters. Each guard can be taken out, and then the world must find what it
//! guards against.

use std::time::Duration;

use muster_core::limit::LimitRate;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::HeldLimit;
use super::admission::{LimitCounts, LimitFill, WaitsFor};
use super::rate::RateState;

/// What the product does; each can be taken out.
#[derive(Clone, Copy, Debug)]
struct RateGuards {
    /// Whoever decides keeps others from deciding until what came of it is written.
    locked: bool,
    /// When the next may start is written with the claim.
    written_with_the_claim: bool,
    /// What was let go is looked at once more when it is claimed.
    looked_at_the_claim: bool,
    /// Somebody looks for those whose waker died.
    swept: bool,
}

const ALL: RateGuards =
    RateGuards { locked: true, written_with_the_claim: true, looked_at_the_claim: true, swept: true };
const EXECUTIONS: usize = 3;
/// Between two starts lie so many ticks of the clock.
const APART: i64 = 2;
const TICK_US: i64 = 1_000_000;
const LAST_TICK: i64 = 7;
const FAULTS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RateRow {
    /// Nobody has submitted it yet.
    Unborn,
    Claimable {
        was_let_go: bool,
    },
    Parked,
    Started {
        at: i64,
    },
}

/// Who starts, who waits, and when the next would start then.
type RateClaim = (Vec<usize>, Vec<usize>, i64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RateWorld {
    now: i64,
    rows: [RateRow; EXECUTIONS],
    /// When the next start would come, in microseconds; none before the first.
    next_at_us: Option<i64>,
    /// When somebody is to be let go; nobody has it in mind when whoever had died.
    wake_at_us: Option<i64>,
    counted: [Option<RateClaim>; 2],
    faults: u8,
    is_too_fast: bool,
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateStep {
    /// The first is submitted.
    Arrive,
    Tick,
    Count(usize),
    Write(usize),
    Die(usize),
    /// Whoever has the moment in mind lets the next go.
    Wake,
    /// It died, and nobody has the moment in mind.
    Forget,
    Sweep,
}

fn held() -> HeldLimit {
    HeldLimit { name: "limit".to_owned(), key: String::new() }
}

impl RateWorld {
    fn state(&self) -> RateState {
        let period = u64::try_from(APART * TICK_US).unwrap();
        let rate = LimitRate { count: 1, period: Duration::from_micros(period) };
        RateState::of(rate, 1, self.next_at_us, self.now * TICK_US)
    }

    fn decide(&self, guards: RateGuards) -> RateClaim {
        let fill = LimitFill {
            held: held(),
            total: None,
            per_key: None,
            running: 0,
            running_of_key: 0,
            rate: Some(self.state()),
        };
        let mut counts = LimitCounts::of(vec![fill]);
        let (mut start, mut park) = (Vec::new(), Vec::new());
        for execution in 0..EXECUTIONS {
            let RateRow::Claimable { was_let_go } = self.rows[execution] else { continue };
            let trusted = was_let_go && !guards.looked_at_the_claim;
            match counts.admit(&[held()]) {
                Some(WaitsFor::Rate(_)) if !trusted => park.push(execution),
                Some(_) | None => start.push(execution),
            }
        }
        (start, park, counts.rate(&held()).unwrap().next_at_us())
    }

    fn write(&mut self, supervisor: usize, guards: RateGuards) {
        let Some((start, park, next_at_us)) = self.counted[supervisor].take() else { return };
        let is_claimable = |world: &Self, one: usize| matches!(world.rows[one], RateRow::Claimable { .. });
        for execution in start {
            if is_claimable(self, execution) {
                let before = self
                    .rows
                    .iter()
                    .any(|row| matches!(row, RateRow::Started { at } if self.now - at < APART));
                self.is_too_fast |= before;
                self.rows[execution] = RateRow::Started { at: self.now };
            }
        }
        if guards.written_with_the_claim {
            self.next_at_us = Some(next_at_us);
        }
        for execution in park {
            if is_claimable(self, execution) {
                self.rows[execution] = RateRow::Parked;
                self.wake_at_us = Some(self.state().opens_at_us());
            }
        }
    }

    /// Lets go as many as there is room for, less those that were let go and have not started.
    fn let_go(&mut self) {
        let gone =
            self.rows.iter().filter(|row| matches!(row, RateRow::Claimable { was_let_go: true })).count();
        let mut room = usize::try_from(self.state().room()).unwrap().saturating_sub(gone);
        for row in &mut self.rows {
            if room > 0 && *row == RateRow::Parked {
                *row = RateRow::Claimable { was_let_go: true };
                room -= 1;
            }
        }
        let mut after = self.state();
        (0..after.room()).for_each(|_| after.start());
        self.wake_at_us = self.rows.contains(&RateRow::Parked).then(|| after.opens_at_us());
    }

    fn is_possible(&self, step: RateStep, guards: RateGuards) -> bool {
        let is_counting = self.counted.iter().any(Option::is_some);
        let is_locked = guards.locked && is_counting;
        match step {
            // What is decided is written at once: how late a start may be is not the subject here.
            RateStep::Arrive => self.rows[0] == RateRow::Unborn,
            RateStep::Tick => self.now < LAST_TICK && !is_counting,
            RateStep::Count(supervisor) => !is_locked && self.counted[supervisor].is_none(),
            RateStep::Write(supervisor) => self.counted[supervisor].is_some(),
            RateStep::Die(supervisor) => self.counted[supervisor].is_some() && self.faults > 0,
            RateStep::Wake => {
                !is_locked && self.wake_at_us.is_some_and(|wake_at| wake_at <= self.now * TICK_US)
            }
            RateStep::Forget => self.wake_at_us.is_some() && self.faults > 0,
            RateStep::Sweep => !is_locked,
        }
    }

    fn after(&self, step: RateStep, guards: RateGuards) -> Self {
        let mut world = self.clone();
        world.is_stuck = false;
        match step {
            RateStep::Arrive => world.rows[0] = RateRow::Claimable { was_let_go: false },
            RateStep::Tick => world.now += 1,
            RateStep::Count(supervisor) => world.counted[supervisor] = Some(self.decide(guards)),
            RateStep::Write(supervisor) => world.write(supervisor, guards),
            RateStep::Die(supervisor) => {
                world.counted[supervisor] = None;
                world.faults -= 1;
            }
            RateStep::Wake => world.let_go(),
            RateStep::Forget => {
                world.wake_at_us = None;
                world.faults -= 1;
            }
            RateStep::Sweep => {
                if guards.swept {
                    world.let_go();
                }
                let claimable = |row: &RateRow| matches!(row, RateRow::Claimable { .. });
                world.is_stuck = world.rows.contains(&RateRow::Parked)
                    && !world.rows.iter().any(claimable)
                    && (world.state().room() > 0 || world.wake_at_us.is_none());
            }
        }
        world
    }
}

#[derive(Clone, Copy, Debug)]
struct ModelRate(RateGuards);

const EXACT: &str = "starts are as far apart as the rate says";
const LIVE: &str = "after a sweep somebody has in mind when whoever waits may start";

impl Model for ModelRate {
    type State = RateWorld;
    type Action = RateStep;

    fn init_states(&self) -> Vec<RateWorld> {
        vec![RateWorld {
            now: 0,
            rows: [
                RateRow::Unborn,
                RateRow::Claimable { was_let_go: false },
                RateRow::Claimable { was_let_go: false },
            ],
            next_at_us: None,
            wake_at_us: None,
            counted: [None, None],
            faults: FAULTS,
            is_too_fast: false,
            is_stuck: false,
        }]
    }

    fn actions(&self, world: &RateWorld, actions: &mut Vec<RateStep>) {
        let supervisors =
            (0..2).flat_map(|one| [RateStep::Count(one), RateStep::Write(one), RateStep::Die(one)]);
        let all = supervisors.chain([
            RateStep::Arrive,
            RateStep::Tick,
            RateStep::Wake,
            RateStep::Forget,
            RateStep::Sweep,
        ]);
        actions.extend(all.filter(|step| world.is_possible(*step, self.0)));
    }

    fn next_state(&self, world: &RateWorld, step: RateStep) -> Option<RateWorld> {
        Some(world.after(step, self.0))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EXACT, |_, world: &RateWorld| !world.is_too_fast),
            Property::always(LIVE, |_, world: &RateWorld| !world.is_stuck),
            Property::sometimes("all start", |_, world: &RateWorld| {
                world.rows.iter().all(|row| matches!(row, RateRow::Started { .. }))
            }),
        ]
    }
}

/// What goes wrong in this world, and how many states it has.
fn found(guards: RateGuards) -> (Vec<&'static str>, usize) {
    let checker = ModelRate(guards).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failures = [EXACT, LIVE].into_iter().filter(|name| checker.discovery(name).is_some());
    (failures.collect(), checker.unique_state_count())
}

#[test]
fn with_all_guards_a_rate_is_exact_and_lets_nobody_wait_for_ever() {
    let (failures, states) = found(ALL);
    assert_eq!(failures, Vec::<&str>::new());
    assert!(states > 1_000, "only {states} states: the world has become too small to mean anything");
}

#[track_caller]
fn finds(property: &str, without: RateGuards) {
    assert_eq!(found(without).0, [property]);
}

#[test]
fn without_a_lock_two_supervisors_take_the_same_moment() {
    finds(EXACT, RateGuards { locked: false, ..ALL });
}

#[test]
fn a_start_is_written_with_its_claim() {
    finds(EXACT, RateGuards { written_with_the_claim: false, ..ALL });
}

#[test]
fn what_was_let_go_is_looked_at_when_it_is_claimed() {
    finds(EXACT, RateGuards { looked_at_the_claim: false, ..ALL });
}

#[test]
fn without_a_sweep_nobody_wakes_those_whose_waker_died() {
    finds(LIVE, RateGuards { swept: false, ..ALL });
}
