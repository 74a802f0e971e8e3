//! The rules of delivery, written once over the statements of either adapter.

mod claim;
mod finalize;
mod queue;
mod renew;

pub(super) use claim::{claim, claim_due};
pub(super) use finalize::finalize;
pub(super) use queue::{fail_unusable, reopen_unusable, request_cancel, submit};
pub(super) use renew::{record_events, record_started, renew};
