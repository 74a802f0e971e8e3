//! The short way of what is submitted here: where nothing waits and a worker is free, it is claimed by the statement that
//! writes it and handed over, as a broker's message is. Nobody is overtaken, and nobody has to be woken.

use std::sync::Arc;

use muster_intake::{ClaimAnswer, Claims as _};
use muster_store::NewExecution;

use super::claims::DispatchClaims;

impl DispatchClaims {
    /// Claims an execution as it is written. False when it is to be submitted as one that waits, which also finds out what
    /// there is to be said of it: that its id is known, for example, or that the database is out of reach.
    pub(crate) async fn start_at_once(&self, new: &NewExecution) -> bool {
        let Some(reservation) = self.slots.reserve_for_free_worker() else { return false };
        if !self.store.starts_at_once(&self.claimant, new).await.unwrap_or(false) {
            return false;
        }
        match self.claim(vec![Arc::new(new.clone())], reservation).await {
            Ok(answers) => answers.contains(&ClaimAnswer::Taken),
            Err(error) => {
                tracing::debug!(execution_id = %new.id, %error, "not started at once; submitted as one that waits");
                false
            }
        }
    }
}
