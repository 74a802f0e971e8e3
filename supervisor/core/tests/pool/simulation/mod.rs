//! A seeded simulation of the pool: a world of workers with every sin, random commands, virtual time, and
//! invariants that are looked at after every step. See `simulator` for seeds and how to replay them.

mod in_flight;
mod model;
mod world;

use world::{Climate, World};

use crate::simulator::{explore, replays};

const SCHEDULES: u64 = 1_500;

#[test]
fn rough_worlds_keep_the_invariants() {
    explore("rough", SCHEDULES, |seed, is_traced| World::new(seed, Climate::Rough, is_traced));
}

#[test]
fn fair_worlds_keep_the_invariants_and_never_dip() {
    explore("fair", SCHEDULES, |seed, is_traced| World::new(seed, Climate::Fair, is_traced));
}

#[test]
fn a_seed_replays_exactly() {
    replays(|seed, is_traced| World::new(seed, Climate::Rough, is_traced));
}
