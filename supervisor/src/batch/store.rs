//! What a batch records its executions in, of all that a store can do.

use std::sync::Arc;

use async_trait::async_trait;
use muster_store::{
    Claim, ClaimStore, Claimant, DefinitionStore, MemoryStore, NewExecution, OutcomeStore, Result,
    SqliteStore, StateStore,
};

/// The record of a batch.
#[async_trait]
pub trait BatchStore: OutcomeStore + StateStore + DefinitionStore {
    /// Claims lines of the batch. One answer for each.
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>>;
}

/// Where the records stay.
#[async_trait]
impl BatchStore for SqliteStore {
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        self.claim(claimant, executions).await
    }
}

/// Where nobody will look at them.
#[async_trait]
impl BatchStore for MemoryStore {
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        Ok(self.claim(claimant, executions))
    }
}
