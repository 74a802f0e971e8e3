//! What a batch records its executions in, of all that a store can do.

use std::sync::Arc;

use async_trait::async_trait;
use muster_store::{
    Claim, ClaimStore, Claimant, DefinitionStore, ExecutionOutcome, MemoryStore, NewExecution, OutcomeStore,
    QueueStore, Result, SchemaStore as _, SqliteStore, StateStore,
};
use uuid::Uuid;

/// The record of a batch.
#[async_trait]
pub trait BatchStore: OutcomeStore + StateStore + DefinitionStore {
    /// Claims lines of the batch. One answer for each.
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>>;

    /// Ends lines of the batch that wait, as is said of them.
    async fn give_up_lines(&self, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()>;

    /// Closes what stays, once the batch is over.
    async fn close_records(&self);
}

/// Where the records stay.
#[async_trait]
impl BatchStore for SqliteStore {
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        self.claim(claimant, executions).await
    }

    async fn give_up_lines(&self, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()> {
        self.give_up(given_up).await
    }

    async fn close_records(&self) {
        self.close().await;
    }
}

/// Where nobody will look at them.
#[async_trait]
impl BatchStore for MemoryStore {
    async fn claim_lines(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        Ok(self.claim(claimant, executions))
    }

    async fn give_up_lines(&self, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()> {
        self.give_up(given_up.iter().map(|(id, _)| *id));
        Ok(())
    }

    async fn close_records(&self) {}
}
