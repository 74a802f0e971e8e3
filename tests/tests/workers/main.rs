//! Workers on their own, with the test in the supervisor's place.

mod minimal;
mod rogue;
