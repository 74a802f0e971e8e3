//! A seeded simulation of the consumer: a world with a broker, a store, a cache and slots, each with its failures, and
//! the invariants of `CONSUMER.md` looked at after every step. See `simulator` for seeds and how to replay them.

mod broker;
mod message;
mod slots;
mod store;
mod world;

use world::{Climate, World};

use crate::simulator::{Schedule, explore, replays};

const SCHEDULES: u64 = 1_000;

#[test]
fn rough_worlds_keep_the_invariants() {
    explore("rough", SCHEDULES, |seed, is_traced| World::new(seed, Climate::Rough, is_traced));
}

#[test]
fn fair_worlds_keep_the_invariants_and_redeliver_nothing() {
    explore("fair", SCHEDULES, |seed, is_traced| World::new(seed, Climate::Fair, is_traced));
}

#[test]
fn a_seed_replays_exactly() {
    replays(|seed, is_traced| World::new(seed, Climate::Rough, is_traced));
}

/// A simulation that never meets what it is about proves nothing.
#[test]
fn rough_worlds_meet_every_trouble() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..200 {
        let mut world = World::new(seed, Climate::Rough, false);
        world.run();
        for (what, count) in world.met().clone() {
            *seen.entry(what).or_insert(0) += count;
        }
    }
    let never: Vec<_> = seen.iter().filter(|(_, count)| **count == 0).collect();
    assert!(never.is_empty(), "never met: {never:?} of {seen:?}");
}
