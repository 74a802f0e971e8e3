//! The short way of what is submitted here: where nothing waits and a worker is free, it is claimed by the statement that
//! writes it and handed over, as a broker's message is. Nobody is overtaken, and nobody has to be woken.

use std::sync::Arc;

use muster_intake::ClaimAnswer;
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
        // A row that waited under its id was claimed as what it is: whether that is what was asked for is found out there, too.
        let is_it = |row: &Arc<NewExecution>| row.request.get() == new.request.get();
        match self.claim_rows(&[Arc::new(new.clone())], reservation).await {
            Ok(answers) => answers
                .iter()
                .any(|(answer, row)| *answer == ClaimAnswer::Taken && row.as_ref().is_some_and(is_it)),
            Err(error) => {
                tracing::debug!(execution_id = %new.id, %error, "not started at once; submitted as one that waits");
                false
            }
        }
    }
}
