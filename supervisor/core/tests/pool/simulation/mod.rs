//! A seeded simulation of the pool: a world of workers with every sin, random commands, virtual time, and
//! invariants that are looked at after every step.
//!
//! A failing schedule prints its seed and its last steps. To see it again:
//! `MUSTER_SIM_SEED=17 cargo test -p muster-supervisor --test pool`. More schedules:
//! `MUSTER_SIM_SCHEDULES=100000`.

mod in_flight;
mod model;
mod world;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Climate, World};

const SCHEDULES: u64 = 1_500;

#[test]
fn rough_worlds_keep_the_invariants() {
    explore(Climate::Rough);
}

#[test]
fn fair_worlds_keep_the_invariants_and_never_dip() {
    explore(Climate::Fair);
}

/// The same seed gives the same steps, or a failure could not be looked at twice.
#[test]
fn a_seed_replays_exactly() {
    let run = |seed| {
        let mut world = World::new(seed, Climate::Rough, true);
        world.run();
        world.trace()
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed} gave two different schedules");
    }
}

fn explore(climate: Climate) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MUSTER_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MUSTER_SIM_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut steps = 0;
    for seed in seeds {
        let mut world = World::new(seed, climate, false);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) {
            tell(seed, climate);
            resume_unwind(panic);
        }
        steps += world.steps();
    }
    assert!(steps > 0);
}

/// Plays a failing schedule again and prints its last steps.
fn tell(seed: u64, climate: Climate) {
    let mut world = World::new(seed, climate, true);
    let _ = catch_unwind(AssertUnwindSafe(|| world.run()));
    let trace = world.trace();
    let tail = &trace[trace.len().saturating_sub(60)..];
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{}\nMUSTER_SIM_SEED={seed} replays this ({climate:?})", tail.join("\n"));
}
