//! Whether the store takes outcomes at all, when it has refused some.

use std::time::Duration;

use muster_core::execution::Attempt;
use muster_store::{Disposition, ExecutionFailure, ExecutionOutcome, Finalization, OutcomeStore};
use uuid::Uuid;

/// How long a store that refused something has to show that it takes other things.
const PROOF_WITHIN: Duration = Duration::from_secs(3);

/// Whether the store takes outcomes, shown by one of an execution that is not there. It changes no row.
pub(super) async fn store_takes_outcomes(store: &dyn OutcomeStore) -> bool {
    let nobody = nobody();
    let written = store.finalize(std::slice::from_ref(&nobody));
    matches!(tokio::time::timeout(PROOF_WITHIN, written).await, Ok(Ok(_)))
}

/// The outcome of an attempt that never was.
fn nobody() -> Finalization {
    let failed = ExecutionOutcome::Failed(ExecutionFailure::new("Nobody", ""));
    Finalization::bare(Attempt::new(Uuid::now_v7(), 1), Uuid::now_v7(), Disposition::Terminal(failed))
}
