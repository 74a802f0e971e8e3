//! One step of a walk over what ended: some are looked at, it is decided which of them go, and these go.

use async_trait::async_trait;
use uuid::Uuid;

use super::again;
use crate::retention::{PruneRange, PruneRule, PruneStep, PrunedRows, RetentionSession as _, RetentionStore};
use crate::session::{Backend, Extent, Purpose, StoreSession as _};
use crate::{Cursor, Result};

#[async_trait]
impl<B: Backend> RetentionStore for B {
    async fn prune(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep> {
        let removing = || step(self, range, behind, limit, (PruneDeed::Remove, rule));
        let step = again(B::PLANS_MAX, removing).await?;
        if matches!(step, PruneStep::Looked { rows, .. } if rows.executions > 0) {
            self.give_space_back().await?;
        }
        Ok(step)
    }

    async fn prunable(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep> {
        again(B::PLANS_MAX, || step(self, range, behind, limit, (PruneDeed::Count, rule))).await
    }
}

/// What a step does with what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PruneDeed {
    Remove,
    Count,
}

async fn step<B: Backend>(
    backend: &B,
    range: &PruneRange,
    behind: Option<Cursor>,
    limit: usize,
    (deed, rule): (PruneDeed, PruneRule<'_>),
) -> Result<PruneStep> {
    let purpose = match deed {
        PruneDeed::Remove => Purpose::Write,
        PruneDeed::Count => Purpose::Read,
    };
    let mut session = backend.begin(purpose, Extent::Several).await?;
    if deed == PruneDeed::Remove && !session.take_turn_to_prune().await? {
        session.commit().await?;
        return Ok(PruneStep::NotOurTurn);
    }
    let found = session.ended(range, behind.unwrap_or_else(Cursor::first), limit).await?;
    let going: Vec<Uuid> = found.iter().filter(|one| one.may_go && rule(one)).map(|one| one.id).collect();
    let rows = match deed {
        _ if going.is_empty() => PrunedRows::default(),
        PruneDeed::Remove => session.forget(&going).await?,
        PruneDeed::Count => session.count_with(&going).await?,
    };
    session.commit().await?;
    let last = found.last().map(|one| Cursor { created_at: one.created_at, id: one.id });
    Ok(PruneStep::Looked { rows, last, is_end: found.len() < limit })
}
