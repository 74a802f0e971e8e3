//! What the store, the cache and the dead letters are asked. Each call ends with the event of its answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use uuid::Uuid;

use super::ConsumerParts;
use crate::Claims;
use crate::rabbitmq::broker::dead_letter_publisher::DeadLetterDraft;
use crate::rabbitmq::consumer::{ConsumerEvent, UnrecordedFailure};
use muster_store::NewExecution;

/// How long the cache may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) type Call = BoxFuture<'static, ConsumerEvent>;

pub(super) fn claim<C: Claims>(
    parts: &ConsumerParts<C>,
    executions: Vec<Arc<NewExecution>>,
    reservation: Option<C::IntakeReservation>,
) -> Call {
    let claims = Arc::clone(&parts.claims);
    async move {
        let Some(mut reservation) = reservation else {
            return ConsumerEvent::Claimed(Err("no slots were reserved".to_owned()));
        };
        C::keep(&mut reservation, executions.len());
        let answers = claims.claim(executions, reservation).await;
        ConsumerEvent::Claimed(answers.map_err(|error| error.to_string()))
    }
    .boxed()
}

pub(super) fn keep_as_rows<C>(parts: &ConsumerParts<C>, executions: Vec<Arc<NewExecution>>) -> Call {
    let rows = Arc::clone(&parts.rows);
    async move {
        let executions: Vec<NewExecution> = executions.iter().map(|one| NewExecution::clone(one)).collect();
        let answers = rows.submit(&executions).await;
        ConsumerEvent::KeptAsRows(answers.map_err(|error| error.to_string()))
    }
    .boxed()
}

pub(super) fn read_records<C>(parts: &ConsumerParts<C>, ids: Vec<Uuid>) -> Call {
    let bus = parts.bus.clone();
    async move {
        let records = tokio::time::timeout(BUS_TIMEOUT, bus.pending(&ids)).await;
        ConsumerEvent::RecordsRead(records.ok().and_then(Result::ok))
    }
    .boxed()
}

pub(super) fn read_rows<C>(parts: &ConsumerParts<C>, ids: Vec<Uuid>) -> Call {
    let rows = Arc::clone(&parts.rows);
    async move {
        let found = join_all(ids.iter().map(|id| rows.known(*id))).await;
        let found = found.into_iter().map(|row| row.map_err(|error| error.to_string()));
        ConsumerEvent::RowsRead(found.collect())
    }
    .boxed()
}

pub(super) fn record_failures<C>(parts: &ConsumerParts<C>, failures: Vec<UnrecordedFailure>) -> Call {
    let rows = Arc::clone(&parts.rows);
    async move {
        let mut results = Vec::with_capacity(failures.len());
        for UnrecordedFailure { execution_id, failure, sync } in &failures {
            let recorded = rows.fail_unusable(*execution_id, failure, *sync).await;
            results.push(recorded.map_err(|error| error.to_string()));
        }
        ConsumerEvent::FailuresRecorded(results)
    }
    .boxed()
}

pub(super) fn publish_dead_letters<C>(parts: &ConsumerParts<C>, letters: Vec<DeadLetterDraft>) -> Call {
    let publisher = Arc::clone(&parts.dead_letters);
    async move {
        let results = publisher.publish(&letters).await;
        let results = results.into_iter().map(|result| result.map_err(|error| error.to_string()));
        ConsumerEvent::DeadLettersPublished(results.collect())
    }
    .boxed()
}
