//! One rule, one scenario: what happens, what the pool wants, at which moment.

mod cancelling;
mod deaths;
mod draining;
mod isolation;
mod organization;
mod outcomes;
mod recycling;
mod routing;
mod sizing;
mod stage;
mod starting;
mod templates;
mod violations;
