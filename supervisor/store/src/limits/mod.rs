//! How many executions may run at once: in which limits an execution must have room. What a limit says
//! is [`muster_core::limit`].
//!
//! The rules are in `../../ADMISSION.md`. Who is let in is decided in [`admission`], by numbers alone; what is done about it
//! in `flow`.

pub(crate) mod admission;
mod displaced;
mod held;
mod key;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_on_full;
#[cfg(test)]
mod model_rate;
pub(crate) mod on_full;
pub(crate) mod rate;
mod record;
pub(crate) mod session;
mod store;
mod sweep_places;
mod workflow_terms;
mod workflows;

pub use displaced::Displaced;
pub(crate) use displaced::DisplacedBook;
pub use held::HeldLimit;
pub(crate) use held::{held_limits, limits_column};
pub(crate) use key::{KeySource, key_of};
pub use record::LimitRecord;
pub use store::{LimitStore, LimitSweep, LimitUse, LimitWait};
pub(crate) use sweep_places::{SweepPlaces, behind};
pub use workflow_terms::{WorkflowTerms, own_limit_name};
pub(crate) use workflows::{DeclaredWorkflow, KnownWorkflows, OF_CODE, OF_ROW, WorkflowBook};
