//! Where executions come from: messages of RabbitMQ, and rows of the store that are due.
//!
//! An intake reserves a slot before it claims, claims before it acknowledges, and hands what is claimed on.
//! It never decides what becomes of an execution.

pub mod rabbitmq;

use std::sync::Arc;

use async_trait::async_trait;
use muster_core::execution::Status;
use muster_store::{NewExecution, StoreError};
use uuid::Uuid;

/// What an intake needs of the service: slots, and the way from a message to a worker.
#[async_trait]
pub trait Claims: Send + Sync + 'static {
    /// Slots that are taken and not yet used. Dropping it gives them back.
    type IntakeReservation: Send;

    /// Waits for at least one free slot and takes up to `most`. It may be dropped while it waits.
    async fn reserve(self: Arc<Self>, most: usize) -> Self::IntakeReservation;

    /// How many slots are in a reservation.
    fn count(reservation: &Self::IntakeReservation) -> usize;

    /// Gives back all but so many of them.
    fn keep(reservation: &mut Self::IntakeReservation, most: usize);

    /// Claims these executions, at most as many as slots are reserved, and hands those that became ours on to
    /// their workers. A claim whose commit is unknown is read back in here. The answers come in order.
    ///
    /// # Errors
    /// When the store does not answer: the same may be tried again. What was claimed all the same is on its
    /// way to a worker and then answers that it runs.
    async fn claim(
        &self,
        executions: Vec<Arc<NewExecution>>,
        reservation: Self::IntakeReservation,
    ) -> Result<Vec<ClaimAnswer>, StoreError>;
}

/// What became of the claim of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// It is ours and on its way to a worker.
    Taken,
    /// Its row is not ours to run: it runs, it is over, or it waits until it is due.
    Elsewhere(Status),
    /// The execution with this id has its idempotency key: it is that one.
    Existing(Uuid),
    /// Its idempotency key belongs to an execution of another workflow or with other parameters, with this id.
    KeyReused(Uuid),
    /// The database will not store the request, for this reason.
    Refused(String),
}
