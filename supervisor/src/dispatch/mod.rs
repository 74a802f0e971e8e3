//! From a claim to a worker: how much may be claimed, what is claimed, what a run needs to know, who gets it.
//!
//! An execution comes in by a poll of the store or by a broker's message ([`claims`], [`poll`]), takes a slot
//! ([`slots`]), is held until its outcome is committed ([`in_flight`]), is prepared ([`prepare`]) and handed to the
//! executor ([`dispatcher`]). What the executor reports goes on from [`run_reporter`]. Nothing here knows SQL, frames
//! or processes.

mod at_once;
mod claims;
mod declared;
mod dispatcher;
mod expiry;
mod in_flight;
mod later_events;
pub(crate) mod leases;
mod limit_sweep;
mod pauses;
mod peers;
mod poll;
mod prepare;
mod prewarm_gate;
mod rates;
mod run_reporter;
mod secret_key_gate;
mod shares;
mod slots;
mod start_health;
mod state_reads;
mod wiring;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use claims::DispatchClaims;
pub use dispatcher::{AfterFailure, Dispatcher, Prepare, PrepareError, PreparedAttempt};
pub(crate) use expiry::{expire_for_ever, follow_clock_for_ever, forget_keys_for_ever};
pub use in_flight::{ClaimUnderWay, InFlight, InFlightAttempt, InFlightPhase, OutcomeTerms};
pub(crate) use limit_sweep::tend_limits_for_ever;
pub(crate) use pauses::{follow_pauses_for_ever, let_go_resumed_for_ever};
pub(crate) use peers::{PeerWatch, watch_for_ever};
pub(crate) use poll::StorePoll;
pub use prepare::{Preparer, RefusedParameters};
pub(crate) use rates::open_rates_for_ever;
pub(crate) use run_reporter::RunReporter;
pub(crate) use secret_key_gate::SecretKeyGate;
pub(crate) use shares::tell_worker_time_for_ever;
pub use slots::{IntakeClosed, Slot, SlotReservation, Slots};
pub use start_health::{StartHealth, StartTrouble};
pub(crate) use wiring::{DispatchParts, WiredDispatch};
