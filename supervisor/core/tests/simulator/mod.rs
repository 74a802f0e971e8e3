//! What every simulation of a pure machine needs: an agenda in virtual time, seeds that replay, and dice.
//!
//! A failing schedule prints its seed and its last steps. To see it again: `MUSTER_SIM_SEED=17`. More schedules:
//! `MUSTER_SIM_SCHEDULES=100000`.

mod require;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use fastrand::Rng;
use muster_core::pool::PoolTime;

pub(crate) use require::require;

/// A world in which a machine lives, drawn from a seed.
pub(crate) trait Schedule {
    /// Plays it to its end. Panics when something does not hold.
    fn run(&mut self);
    /// How many steps were played.
    fn steps(&self) -> u64;
    /// What happened, line by line, if that was wanted: writing it takes longer than playing it.
    fn trace(&self) -> Vec<String>;
}

/// Plays many schedules, or the one that the environment asks for. `name` says which kind failed.
pub(crate) fn explore<S: Schedule>(name: &str, schedules: u64, make: impl Fn(u64, bool) -> S) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MUSTER_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MUSTER_SIM_SCHEDULES").unwrap_or(schedules),
    };
    let mut steps = 0;
    for seed in seeds {
        let mut schedule = make(seed, false);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| schedule.run())) {
            tell(name, seed, make(seed, true));
            resume_unwind(panic);
        }
        steps += schedule.steps();
    }
    assert!(steps > 0);
}

/// The same seed gives the same steps, or a failure could not be looked at twice.
pub(crate) fn replays<S: Schedule>(make: impl Fn(u64, bool) -> S) {
    let run = |seed| {
        let mut schedule = make(seed, true);
        schedule.run();
        schedule.trace()
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed} gave two different schedules");
    }
}

/// Plays a failing schedule again and prints its last steps.
fn tell(name: &str, seed: u64, mut schedule: impl Schedule) {
    let _ = catch_unwind(AssertUnwindSafe(|| schedule.run()));
    let trace = schedule.trace();
    let tail = &trace[trace.len().saturating_sub(60)..];
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{}\nMUSTER_SIM_SEED={seed} replays this ({name})", tail.join("\n"));
}

/// What will happen, in order of time; what is to happen at the same time, in the order it was entered.
#[derive(Debug)]
pub(crate) struct Agenda<H> {
    times: BinaryHeap<Reverse<(PoolTime, u64)>>,
    happenings: BTreeMap<u64, H>,
    last: u64,
}

impl<H> Agenda<H> {
    pub(crate) fn new() -> Self {
        Self { times: BinaryHeap::new(), happenings: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn enter(&mut self, at: PoolTime, happening: H) {
        self.last += 1;
        self.times.push(Reverse((at, self.last)));
        self.happenings.insert(self.last, happening);
    }

    pub(crate) fn next_time(&self) -> Option<PoolTime> {
        self.times.peek().map(|Reverse((time, _))| *time)
    }

    pub(crate) fn pop(&mut self) -> Option<(PoolTime, H)> {
        let Reverse((time, number)) = self.times.pop()?;
        self.happenings.remove(&number).map(|happening| (time, happening))
    }
}

pub(crate) fn ms(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_micros(rng.u64(from * 1_000..=to * 1_000))
}

pub(crate) fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}
