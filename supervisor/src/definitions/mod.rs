//! Changing what is defined: organizations, workflows, variables and secrets.
//!
//! What is wanted is a [`DefinitionWish`]: single things, or everything as a [mod@file] has it. [`plan()`] makes of it and of the rows that are there the rows to
//! write, or says all that is wrong with it; it is pure. [`edit`] reads, plans and writes, and begins again when somebody
//! was faster. Every supervisor hears of it by the version of the definitions: see `prewarm`.

mod edits;
mod organizations;
mod planner;
mod problem;
mod sealed;
mod shelf;
mod view;
mod whole;

#[cfg(test)]
mod tests;

pub use edits::DefinitionEdit;
pub use muster_api::file;
pub use organizations::{
    check_name, id_of as organization_id, is_called as is_organization_called, key_of_id as organization_key,
};
pub use planner::plan;
pub use problem::{DefinitionProblem, EditError, ProblemKind};
pub use sealed::rotate;
pub use view::{
    change_view, delivery_view, organizations, schedules, secrets, ticks, variables, webhooks, workflows,
};
pub use whole::{DefinitionWish, whole};

use muster_store::{DefinitionEditStore, DefinitionsWritten};

use crate::api::PlanView;
use crate::secret_keys::SecretKeys;

/// How often a change is decided anew because somebody was faster.
const TRIES_MAX: u32 = 20;

/// Makes the changes that are wanted, all or none; or only tells which they would be.
///
/// # Errors
/// When something about them is wrong, or the store fails.
pub async fn edit(
    store: &dyn DefinitionEditStore,
    keys: &SecretKeys,
    wish: &DefinitionWish,
    who: &str,
    dry_run: bool,
) -> Result<PlanView, EditError> {
    for _ in 0..TRIES_MAX {
        let definitions = store.definitions().await?;
        if !wish.is_allowed_by(&definitions) {
            return Err(EditError::Contended);
        }
        let changes = plan(&definitions, &wish.edits(&definitions)).map_err(EditError::Problems)?;
        let changes = sealed::sealed(changes, keys)?;
        let view = |is_applied| PlanView { changes: changes.iter().map(view::planned).collect(), is_applied };
        if dry_run || changes.is_empty() {
            return Ok(view(!dry_run));
        }
        match store.write_definitions(definitions.version, who, &changes).await? {
            DefinitionsWritten::Committed => return Ok(view(true)),
            DefinitionsWritten::Outdated => {}
        }
    }
    Err(EditError::Contended)
}
