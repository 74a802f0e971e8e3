//! Who hears of what is written.

use std::time::Duration;

use async_trait::async_trait;
use muster_store::{Finalization, FinalizeResult};

/// An outcome that the store has committed.
#[derive(Debug)]
pub struct Finalized {
    /// What the store was asked to write.
    pub finalization: Finalization,
    /// What became of the row.
    pub verdict: FinalizeResult,
}

/// Hears of every outcome that is written, group by group, in order.
#[async_trait]
pub trait FinalizedSink: std::fmt::Debug + Send + Sync + 'static {
    /// These are committed; the commit took so long.
    async fn finalized(&self, group: Vec<Finalized>, took: Duration);
    /// The store cannot be written; what arrives is kept. Called again with `false` when it can.
    async fn store_unreachable(&self, unreachable: bool);
}
