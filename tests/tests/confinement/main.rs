//! What a worker can reach at each level of confinement: ordinary workflows try it, harmlessly, and the outcomes are a
//! table that is kept in `supervisor/CONFINEMENT.md`.
//!
//! `MUSTER_BLESS=1` writes the table anew. Without it a try that the table says is refused and that succeeds is a
//! failure, and so is one that a worker needs and that is refused. What else is refused here and was not there is printed: a
//! machine may be stricter than the one the table was made on. Where the kernel offers less of Landlock than the table was made
//! with, a cell is held only if what refuses it is there; which are not is printed, and a strict supervisor must
//! say that it cannot start.
//!
//! Run as root it tries all three ways to start a supervisor; an ordinary user can try only the last.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "helpers of tests are tests, and say what this machine does not let them try"
)]

mod groups;
mod limits;
mod page;
mod temporary;
mod walls;
mod world;
