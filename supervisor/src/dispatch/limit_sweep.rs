//! Limits are put right, whatever died in the middle of a step; and those that code declares are made known.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{LimitStore, LimitSweep, StoreError, WorkflowTerms};

use super::declared::{DeclaredTerms, declared_terms};
use crate::descriptions::Descriptions;

/// How often one looks. What a crash left holds up nobody for longer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sweeps for ever.
pub(crate) async fn tend_limits_for_ever(store: Arc<dyn LimitStore>, descriptions: Arc<Descriptions>) {
    let mut known = DeclaredTerms::new();
    loop {
        // Several supervisors look in turn rather than at once.
        tokio::time::sleep(LOOK_EVERY + Duration::from_millis(fastrand::u64(0..300))).await;
        let described = descriptions.all();
        let declared: DeclaredTerms =
            described.iter().map(|one| (one.declared.name.clone(), declared_terms(one))).collect();
        if declared != known {
            match declare(&*store, &known, &declared).await {
                Ok(()) => known = declared,
                Err(error) => tracing::debug!(%error, "limits of code were not written; trying again"),
            }
        }
        sweep(&*store).await;
    }
}

/// Writes what has changed since this process looked last. Another version of the code beside this one is let be.
async fn declare(
    store: &dyn LimitStore,
    known: &DeclaredTerms,
    declared: &DeclaredTerms,
) -> Result<(), StoreError> {
    let is_new = |(name, terms): &(&String, &WorkflowTerms)| known.get(*name) != Some(*terms);
    let news = declared.iter().filter(is_new).map(|(name, terms)| (name.clone(), terms.clone()));
    let news: Vec<(String, WorkflowTerms)> = news.collect();
    if news.is_empty() { Ok(()) } else { store.declare_workflows(&news).await }
}

async fn sweep(store: &dyn LimitStore) {
    match store.sweep_limits().await {
        Ok(LimitSweep { struck: 0, noted: 0, let_go: 0 }) => {}
        Ok(LimitSweep { noted: 0, struck, let_go }) => {
            tracing::debug!(struck, let_go, "limits were put right after somebody left in the middle");
        }
        Ok(LimitSweep { noted, .. }) => {
            tracing::warn!(
                noted,
                "executions run that were not counted in their limits; is a supervisor of an earlier version on this database?"
            );
        }
        Err(error) => tracing::debug!(%error, "limits were not swept; trying again"),
    }
}
