//! What is run: published by somebody who keeps trying until the broker has it.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use muster_tests::{Backends, TestQueue};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::say;

/// Lost attempts count, and so do killed workers, so this is what a storm may cost one execution.
pub(crate) const MAX_ATTEMPTS: u64 = 8;
/// Most are short; every tenth lasts, so that there is something to lose.
const SHORT_MAX_MS: u64 = 80;
const LONG_MAX_MS: u64 = 4000;

/// An execution, and how it must end.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) number: usize,
    pub(crate) fails: bool,
}

/// The publisher, at work.
#[derive(Debug)]
pub(crate) struct ChaosLoad {
    publisher: JoinHandle<Vec<Planned>>,
}

impl ChaosLoad {
    /// Starts to publish, evenly over the time.
    pub(crate) fn start(
        backends: Backends,
        wanted: usize,
        over: Duration,
        mut random: fastrand::Rng,
    ) -> Self {
        let publisher = std::thread::spawn(move || {
            let mut queue = TestQueue::of(&backends);
            let started = Instant::now();
            let one = |number: usize| {
                let due = over.mul_f64(number as f64 / wanted as f64);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
                let (planned, message) = plan(number, &mut random);
                // One that was not confirmed is sent again: twice the same message is one execution.
                while let Err(error) = queue.try_publish(message.to_string().as_bytes()) {
                    tell_silence(&error, started);
                    std::thread::sleep(Duration::from_millis(100));
                }
                planned
            };
            (0..wanted).map(one).collect()
        });
        Self { publisher }
    }

    /// Waits until the broker has everything, and gives what was published.
    pub(crate) fn published(self) -> Vec<Planned> {
        self.publisher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A refusal is the storm's everyday; a broker that takes a message and says nothing is worth a line.
fn tell_silence(error: &lapin::Error, started: Instant) {
    if let lapin::ErrorKind::IOError(cause) = error.kind()
        && cause.kind() == std::io::ErrorKind::TimedOut
    {
        say(&format!("{:>6.1} s  the broker does not answer the publisher", started.elapsed().as_secs_f64()));
    }
}

fn plan(number: usize, random: &mut fastrand::Rng) -> (Planned, Value) {
    let ms = if number.is_multiple_of(10) { random.u64(..LONG_MAX_MS) } else { random.u64(..SHORT_MAX_MS) };
    // A failure as planned is final, so that it does not count as one the storm made.
    let fails = number % 20 == 7;
    let id = Uuid::now_v7().to_string();
    let message = json!({
        "execution_id": id,
        "workflow": "storm",
        "parameters": { "n": number, "ms": ms, "fail": fails },
        "max_attempts": if fails { 1 } else { MAX_ATTEMPTS },
        "retry_backoff_seconds": 0.1,
        "timeout_seconds": 120,
    });
    (Planned { id, number, fails }, message)
}
