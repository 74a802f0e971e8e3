//! The invariants whose violations are counted.

use muster_core::execution::DeliveryInvariant;
use muster_core::invariant::Invariant;
use muster_core::pool::PoolInvariant;
use muster_intake::rabbitmq::consumer::ConsumerInvariant;

/// What is looked at in production too, where looking costs nothing: a test holds it against the sources. The others are
/// for simulations and tests, and a zero would say too much of them.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    let pool = [
        PoolInvariant::CeilingOfRuns,
        PoolInvariant::CeilingOfWorkers,
        PoolInvariant::CountsAgree,
        PoolInvariant::ForkOfStanding,
        PoolInvariant::NeverSpins,
        PoolInvariant::NoIdleBesideWork,
        PoolInvariant::OneFinish,
        PoolInvariant::OneRun,
    ];
    let delivery =
        [DeliveryInvariant::FencedWrite, DeliveryInvariant::FinishedWins, DeliveryInvariant::RowBeforeAck];
    let consumer = [ConsumerInvariant::OneWrite];
    let pool = pool.into_iter().map(Invariant::id);
    pool.chain(delivery.into_iter().map(Invariant::id)).chain(consumer.into_iter().map(Invariant::id))
}
