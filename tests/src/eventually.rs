//! Waiting for a condition with a deadline, in place of sleeping and hoping.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// What a condition gives when it holds: a `bool` gives nothing, an `Option` its value.
pub trait Condition {
    /// What the waiting test gets.
    type Value;
    /// The value, if the condition holds.
    fn met(self) -> Option<Self::Value>;
}

impl Condition for bool {
    type Value = ();

    fn met(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn met(self) -> Self {
        self
    }
}

/// Waits until the condition holds and gives what it gave.
///
/// # Panics
/// When it does not hold within the time, with `what` in the message.
#[track_caller]
pub fn eventually<C: Condition>(what: &str, within: Duration, mut condition: impl FnMut() -> C) -> C::Value {
    let deadline = Instant::now() + within;
    loop {
        // The deadline is read first, so that a slow condition is looked at once more after it.
        let late = Instant::now() >= deadline;
        if let Some(value) = condition().met() {
            return value;
        }
        assert!(!late, "not within {within:?}: {what}");
        std::thread::sleep(INTERVAL);
    }
}
