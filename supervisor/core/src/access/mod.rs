//! Who may do what: a token has a [`Role`] and perhaps an organization, an endpoint has a rule, and [`decide`] says
//! whether the one lets do the other.
//!
//! It knows neither tokens nor requests: whoever asks has found out what was shown, and of whom the thing is.

mod role;
mod rule;

pub use role::{Role, UnknownRole};
pub use rule::{AccessRefusal, AccessRule, Reach, RoleGrant, Touched, decide};
