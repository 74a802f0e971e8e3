//! What always holds, by name, and what becomes of it when it does not: a panic where the code is worked on, a count
//! that a metric shows where it serves.
//!
//! The pool, the consumer of RabbitMQ and the way of an execution from its message to its outcome each have an enum
//! of what always holds of them, made by [`invariants!`](crate::invariants). Its ids are used by the pages, the
//! simulations, the tests and `muster_invariant_violations_total{id}`. [`check_invariant!`](crate::check_invariant)
//! looks at one where looking is cheap.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Debug};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Something that always holds of one part of the supervisor.
pub trait Invariant: Copy + Debug + 'static {
    /// All that always holds of the part.
    const ALL: &'static [Self];

    /// The name it goes by: the part, a dot, and what holds.
    fn id(self) -> &'static str;
}

/// How often each was seen broken. It is only touched when one is, and when somebody asks.
static VIOLATIONS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
/// Who is told in words.
static REPORTER: OnceLock<fn(&'static str, &str)> = OnceLock::new();

/// Has violations reported in words, to be logged. Only the first reporter counts.
pub fn report_violations_to(reporter: fn(&'static str, &str)) {
    let _ = REPORTER.set(reporter);
}

/// How often an invariant was seen broken since the start.
pub fn violations(id: &str) -> u64 {
    VIOLATIONS.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or_default()
}

/// An invariant does not hold. Where the code is worked on this is the end; where it serves, the rest goes on.
#[cold]
pub fn violated<I: Invariant>(invariant: I, seen: Arguments<'_>) {
    let id = invariant.id();
    if cfg!(debug_assertions) {
        panic!("{id}: {seen}");
    }
    count(id, seen);
}

fn count(id: &'static str, seen: Arguments<'_>) {
    *VIOLATIONS.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default() += 1;
    if let Some(report) = REPORTER.get() {
        report(id, &seen.to_string());
    }
}

/// Looks whether an invariant holds: `check_invariant!(holds, PoolInvariant::OneFinish, "{attempt} finished twice")`.
#[macro_export]
macro_rules! check_invariant {
    ($holds:expr, $invariant:expr, $($seen:tt)+) => {
        if !$holds {
            $crate::invariant::violated($invariant, format_args!($($seen)+));
        }
    };
}

/// Makes the enum of what always holds of one part, each variant with its id.
#[macro_export]
macro_rules! invariants {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident { $($(#[$about:meta])* $variant:ident = $id:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name { $($(#[$about])* $variant,)+ }

        impl $crate::invariant::Invariant for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    invariants! {
        enum TestInvariant {
            Holds = "test.holds",
            Breaks = "test.breaks",
        }
    }

    #[test]
    fn what_holds_is_not_counted() {
        check_invariant!(1 + 1 == 2, TestInvariant::Holds, "it does not");
        assert_eq!(violations(TestInvariant::Holds.id()), 0);
    }

    #[test]
    #[should_panic(expected = "test.breaks: 1 and not 2")]
    fn where_the_code_is_worked_on_a_violation_is_the_end() {
        check_invariant!(1 == 2, TestInvariant::Breaks, "{} and not 2", 1);
    }

    #[test]
    fn where_it_serves_a_violation_is_counted_and_reported() {
        static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        report_violations_to(|id, seen| TOLD.lock().unwrap().push(format!("{id}: {seen}")));
        count(TestInvariant::Breaks.id(), format_args!("{} and not 2", 1));
        assert_eq!(violations("test.breaks"), 1);
        assert_eq!(*TOLD.lock().unwrap(), ["test.breaks: 1 and not 2"]);
    }
}
