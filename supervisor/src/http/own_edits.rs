//! Changes of definitions as whoever is bound to one organization may make them: of what is theirs, and so that they do not
//! learn what others have.
//!
//! An organization that is not theirs is refused in one way, whether it is there or not, and so is what is not theirs
//! to change. A name or an id that somebody else has can be no second one's: that it is taken is said, and nothing more.

use muster_core::access::AccessRefusal;
use muster_store::{Definitions, ScheduleRecord};
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use super::schedules::no_schedule;
use crate::access::Caller;
use crate::definitions::{DefinitionEdit, DefinitionWish, is_organization_called, organization_key};

impl Api {
    /// A change as this caller may make it: of what is of their organization, by name or because it says nothing else. Once
    /// others have defined something in between it is to be asked again.
    pub(super) async fn own_wish(
        &self,
        caller: &Caller,
        edit: DefinitionEdit,
    ) -> Result<DefinitionWish, ApiError> {
        let Some(own) = caller.organization_id() else { return Ok(DefinitionWish::Edits(vec![edit])) };
        let all = self.store.definitions().await?;
        let (version, key) = (all.version, organization_key(&all, Some(own)).unwrap_or_default());
        let edit = BoundEditor { own, key, all }.edit(edit)?;
        Ok(DefinitionWish::AllowedAt { version, edit })
    }
}

/// Somebody who is bound to one organization, and all that is defined.
struct BoundEditor {
    own: Uuid,
    key: String,
    all: Definitions,
}

impl BoundEditor {
    /// What is of everybody cannot be changed by whoever is bound to one organization, nor what is another's.
    fn edit(&self, edit: DefinitionEdit) -> Result<DefinitionEdit, ApiError> {
        Ok(match edit {
            DefinitionEdit::SetWorkflow(mut wanted) => {
                wanted.organization = self.owner(wanted.organization.take())?;
                self.check_workflow_id(wanted.id)?;
                DefinitionEdit::SetWorkflow(wanted)
            }
            DefinitionEdit::RemoveWorkflow { name, organization } => {
                DefinitionEdit::RemoveWorkflow { name, organization: self.owner(organization)? }
            }
            DefinitionEdit::SetVariable(mut wanted) => {
                wanted.organization = self.owner(wanted.organization)?;
                DefinitionEdit::SetVariable(wanted)
            }
            DefinitionEdit::RemoveVariable { key, organization } => {
                DefinitionEdit::RemoveVariable { key, organization: self.owner(organization)? }
            }
            DefinitionEdit::SetSchedule(mut wanted) => {
                wanted.organization = self.owner(wanted.organization)?;
                self.check_schedule_is_free(&wanted.name, wanted.id)?;
                DefinitionEdit::SetSchedule(wanted)
            }
            DefinitionEdit::PauseSchedule { name, is_paused } => {
                self.check_schedule_is_own(&name)?;
                DefinitionEdit::PauseSchedule { name, is_paused }
            }
            DefinitionEdit::RemoveSchedule { name } => {
                self.check_schedule_is_own(&name)?;
                DefinitionEdit::RemoveSchedule { name }
            }
            DefinitionEdit::SetOrganization(_)
            | DefinitionEdit::RemoveOrganization { .. }
            | DefinitionEdit::SetSecret { .. }
            | DefinitionEdit::RemoveSecret { .. }
            | DefinitionEdit::SetWebhook(_)
            | DefinitionEdit::PauseWebhook { .. }
            | DefinitionEdit::RemoveWebhook { .. }
            | DefinitionEdit::SetLimit(_)
            | DefinitionEdit::RemoveLimit { .. } => return Err(AccessRefusal::OtherOrganization.into()),
        })
    }

    /// Whose a thing is: theirs, and they may say so.
    fn owner(&self, called: Option<String>) -> Result<Option<String>, ApiError> {
        match called {
            Some(called) if !is_organization_called(&self.all, self.own, &called) => {
                Err(AccessRefusal::OtherOrganization.into())
            }
            Some(_) | None => Ok(Some(self.key.clone())),
        }
    }

    fn is_own(&self, schedule: &ScheduleRecord) -> bool {
        schedule.organization_id == Some(self.own)
    }

    /// A schedule of somebody else is answered for as one that is not there.
    fn check_schedule_is_own(&self, name: &str) -> Result<(), ApiError> {
        let known = self.all.schedules.iter().find(|schedule| schedule.name == name);
        if known.is_some_and(|schedule| self.is_own(schedule)) {
            return Ok(());
        }
        let own = self.all.schedules.iter().filter(|schedule| self.is_own(schedule));
        let problem = no_schedule(name, own.map(|schedule| schedule.name.as_str()));
        Err(match known {
            Some(_) => problem.refused_for(anothers("schedule", name)),
            None => problem,
        })
    }

    /// All organizations' schedules have their names from one namespace.
    fn check_schedule_is_free(&self, name: &str, id: Option<Uuid>) -> Result<(), ApiError> {
        let mut others = self.all.schedules.iter().filter(|schedule| !self.is_own(schedule));
        match others.find(|other| other.name == name || Some(other.id) == id) {
            None => Ok(()),
            Some(other) if other.name == name => {
                let problem = ApiError::conflict(format!("the name {name:?} is taken: choose another"));
                Err(problem.refused_for(anothers("schedule", name)))
            }
            Some(other) => Err(taken_id(other.id).refused_for(anothers("schedule", &other.name))),
        }
    }

    fn check_workflow_id(&self, id: Option<Uuid>) -> Result<(), ApiError> {
        let mut others = self.all.workflows.iter().filter(|row| row.organization_id != Some(self.own));
        match others.find(|row| Some(row.id) == id) {
            None => Ok(()),
            Some(other) => Err(taken_id(other.id).refused_for(anothers("workflow", &other.name))),
        }
    }
}

/// For the audit.
fn anothers(noun: &str, name: &str) -> String {
    format!("the {noun} {name:?} is not of the organization that the token is bound to")
}

fn taken_id(id: Uuid) -> ApiError {
    ApiError::conflict(format!("the id {id} is taken: leave it out, or choose another"))
}
