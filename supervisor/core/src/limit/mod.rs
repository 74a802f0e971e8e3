//! Limits as they are written: how many executions may run at once, and how many may start in a period.
//!
//! Who is let in is decided in the store, inside the transaction that lets them in.

mod concurrency;
mod on_full;
mod rate;
mod terms;

pub use concurrency::ConcurrencyTerms;
pub use on_full::OnFull;
pub use rate::{InvalidRate, LimitRate};
pub use terms::{InvalidLimitKey, LimitKey, LimitTerms};
