//! Workers on their own, with the test in the supervisor's place.

mod broken;
mod described;
mod isolation;
mod late;
mod lines;
mod minimal;
mod neighbours;
mod rogue;
mod same;
