//! A limit as its row has it.

use jiff::Timestamp;
use muster_core::limit::LimitTerms;

/// A limit: how many executions may run at once.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRecord {
    /// The name by which executions ask for it.
    pub name: String,
    /// What it allows.
    pub terms: LimitTerms,
    /// Who says so: `set` by hand, or `workflow` or `code` of a workflow's own.
    pub origin: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
