//! All orders of events in a small world: two supervisors, one execution, a database and what goes wrong.
//!
//! The rules are those of the product ([`super::grounds`], and [`crate::unheld_claims`] for rows that nobody seems to
//! hold); around them stands as much of claim, renewal, take-over, finalization and release as matters. Each guard can be
//! taken out, and then the world must find what it guards against.
//!
//! Time goes in ticks of one renewal period. A supervisor that is not kept from it renews and looks in every tick.

mod guards;
mod step;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};

use self::guards::{ALL, Guards, ModelDelivery};
use self::step::{ModelStep, STEPS};
use self::world::{LEASE, ModelStatus, ModelWorld};

/// After so many ticks in which nothing was in the way, what should have happened must have.
const PATIENCE: u8 = LEASE;

const SAFE: &str = "nothing is taken from a supervisor that lives and reaches the database";
const FENCED: &str = "only what the last attempt wrote is stored";
const PRESENT: &str = "a presence that was lost is taken again";
const RECOVERED: &str = "what a dead supervisor ran is taken over";

impl Model for ModelDelivery {
    type State = ModelWorld;
    type Action = ModelStep;

    fn init_states(&self) -> Vec<ModelWorld> {
        vec![ModelWorld::first(self.faults)]
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
