//! From a broker's messages to the dispatcher: claims that are committed before anything is acknowledged.

use std::sync::Arc;

use async_trait::async_trait;
use muster_core::check_invariant;
use muster_core::execution::DeliveryInvariant;
use muster_intake::{ClaimAnswer, Claims};
use muster_store::{Claim, ClaimStore, Claimant, Claimed, NewExecution, StoreError};

use super::dispatcher::Dispatcher;
use super::slots::{SlotReservation, Slots};

/// What a consumer of messages needs of this supervisor.
#[derive(Debug)]
pub(crate) struct DispatchClaims {
    pub(crate) claimant: Claimant,
    pub(crate) store: Arc<dyn ClaimStore>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) dispatcher: Arc<Dispatcher>,
}

#[async_trait]
impl Claims for DispatchClaims {
    type IntakeReservation = SlotReservation;

    async fn reserve(self: Arc<Self>, most: usize) -> SlotReservation {
        self.slots.reserve(most).await
    }

    fn count(reservation: &SlotReservation) -> usize {
        reservation.count()
    }

    fn keep(reservation: &mut SlotReservation, most: usize) {
        reservation.keep(most);
    }

    async fn claim(
        &self,
        executions: Vec<Arc<NewExecution>>,
        reservation: SlotReservation,
    ) -> Result<Vec<ClaimAnswer>, StoreError> {
        let answers = self.claim_rows(&executions, reservation).await?;
        Ok(answers.into_iter().map(|(answer, _)| answer).collect())
    }
}

impl DispatchClaims {
    /// What became of each claim, with the row that is run where it is ours.
    pub(super) async fn claim_rows(
        &self,
        executions: &[Arc<NewExecution>],
        reservation: SlotReservation,
    ) -> Result<Vec<(ClaimAnswer, Option<Arc<NewExecution>>)>, StoreError> {
        let _under_way = self.dispatcher.in_flight().claiming();
        let claims = match self.store.claim(&self.claimant, executions).await {
            Ok(claims) => claims,
            Err(lost @ StoreError::CommitUnknown { .. }) => {
                self.take_back_committed(executions, reservation).await?;
                return Err(lost);
            }
            Err(error) => return Err(error),
        };
        let (asked, answered) = (executions.len(), claims.len());
        check_invariant!(
            asked == answered,
            DeliveryInvariant::RowBeforeAck,
            "{answered} answers to a claim of {asked} executions"
        );
        let mut ours = Vec::with_capacity(claims.len());
        let answers = claims.into_iter().map(|claim| match claim {
            Claim::Claimed(claimed) => {
                let row = Arc::clone(&claimed.execution);
                ours.push(claimed);
                (ClaimAnswer::Taken, Some(row))
            }
            Claim::Elsewhere(status) => (ClaimAnswer::Elsewhere(status), None),
            Claim::Existing { id, .. } => (ClaimAnswer::Existing(id), None),
            Claim::KeyReused { id } => (ClaimAnswer::KeyReused(id), None),
            Claim::Refused(reason) => (ClaimAnswer::Refused(reason), None),
        });
        let answers = answers.collect();
        self.dispatcher.accept(ours, reservation);
        Ok(answers)
    }

    /// The connection was lost in mid-commit: what is in our name and not in our hands was claimed just now
    /// and goes to the dispatcher, whether by that commit or by the poll, which may bring it there too. The caller
    /// asks for all of them again: those answer that they run, and what the same commit refused or left alone
    /// gets the answer that was lost.
    async fn take_back_committed(
        &self,
        executions: &[Arc<NewExecution>],
        reservation: SlotReservation,
    ) -> Result<(), StoreError> {
        let ids: Vec<_> = executions.iter().map(|execution| execution.id).collect();
        // Noted before the rows are read: one that ends meanwhile is RUNNING in what was read, and held no more.
        let held = self.dispatcher.in_flight().attempts();
        let written = self.store.claimed_by(self.claimant.owner, &ids).await?;
        let new: Vec<Claimed> =
            written.into_iter().filter(|claimed| !held.contains(&claimed.attempt)).collect();
        self.dispatcher.accept(new, reservation);
        Ok(())
    }
}
