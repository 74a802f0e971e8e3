//! Keeping whoever is bound to one organization to what is of that one: what they ask for, and what they are shown.
//!
//! An execution is looked at where its id is read from the path ([`super::query::PathId`]); lists are narrowed here.

use muster_core::access::AccessRefusal;
use muster_core::execution::{ExecutionRequest, Target};
use muster_store::Definitions;
use uuid::Uuid;

use super::Api;
use super::problem::{ApiError, ErrorKind};
use crate::access::Caller;
use crate::api::{SelectionRequest, ServiceError, SubmitAnswer};
use crate::definitions::{DefinitionEdit, organization_id, organization_key};

impl Api {
    /// An organization by its key or id. One of an id need not be known: executions may name any.
    pub(super) async fn organization_called(&self, called: &str) -> Result<Uuid, ApiError> {
        if let Ok(id) = called.parse() {
            return Ok(id);
        }
        let definitions = self.store.definitions().await?;
        organization_id(&definitions, called).map_err(ApiError::invalid)
    }

    /// What is defined, as far as the caller may see it: what is theirs. Workflows of everybody are theirs to run, too.
    pub(super) async fn own_definitions(&self, caller: &Caller) -> Result<Definitions, ApiError> {
        let mut definitions = self.store.definitions().await?;
        if caller.organization_id().is_some() {
            definitions
                .workflows
                .retain(|row| row.organization_id.is_none() || caller.may_see(row.organization_id));
            definitions.config.retain(|row| caller.may_see(row.organization_id));
            definitions.schedules.retain(|row| caller.may_see(row.organization_id));
        }
        Ok(definitions)
    }

    /// The organization to narrow a list to, when this one is asked for, or none.
    pub(super) async fn narrowed(
        &self,
        caller: &Caller,
        called: Option<String>,
    ) -> Result<Option<Uuid>, ApiError> {
        let asked = match called {
            Some(called) => Some(self.organization_called(&called).await?),
            None => None,
        };
        Ok(caller.narrowed(asked)?)
    }

    /// A selection, narrowed. One that says nothing stays so, and is refused for that.
    pub(super) async fn narrowed_selection(
        &self,
        caller: &Caller,
        selection: SelectionRequest,
    ) -> Result<SelectionRequest, ApiError> {
        if caller.organization_id().is_none() || !selection.narrows() {
            return Ok(selection);
        }
        let organization = self.narrowed(caller, selection.organization.clone()).await?;
        Ok(SelectionRequest { organization: organization.map(|id| id.to_string()), ..selection })
    }

    /// Requests as this caller may make them: of their organization, of a workflow that is not another's, and under no id
    /// that another's execution has. One for each, or why not.
    pub(super) async fn own_requests(
        &self,
        caller: &Caller,
        requests: Vec<ExecutionRequest>,
    ) -> Result<Vec<Result<ExecutionRequest, ApiError>>, ApiError> {
        let Some(own) = caller.organization_id() else { return Ok(requests.into_iter().map(Ok).collect()) };
        let ids: Vec<Uuid> = requests.iter().map(|request| request.execution_id).collect();
        let taken = self.store.executions_by_id(&ids).await?;
        let is_anothers = |id: Uuid| taken.iter().any(|row| row.id == id && row.organization_id != Some(own));
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.own_request(caller, own, request, &is_anothers).await);
        }
        Ok(answers)
    }

    async fn own_request(
        &self,
        caller: &Caller,
        own: Uuid,
        mut request: ExecutionRequest,
        is_anothers: &(dyn Fn(Uuid) -> bool + Sync),
    ) -> Result<ExecutionRequest, ApiError> {
        if request.organization_id.is_some() {
            caller.of(request.organization_id)?;
        }
        if let Target::Id { workflow_id } = &request.target {
            // It would run in the name of its own organization, and with its secrets.
            let whose = self.store.workflow(*workflow_id).await?.and_then(|row| row.organization_id);
            if whose.is_some() {
                caller.of(whose)?;
            }
        }
        if is_anothers(request.execution_id) {
            let detail = format!("there is an execution {}, which is not this one", request.execution_id);
            return Err(ApiError::new(ErrorKind::Conflict, detail));
        }
        request.organization_id = Some(own);
        Ok(request)
    }

    /// What came of submits, as this caller may know it: which execution a limit is full of is told to those who may see
    /// that one.
    pub(super) async fn told_of_submits(
        &self,
        caller: &Caller,
        submits: Vec<Result<SubmitAnswer, ServiceError>>,
    ) -> Vec<Result<SubmitAnswer, ApiError>> {
        let submits: Vec<_> = submits.into_iter().map(|submit| submit.map_err(ApiError::from)).collect();
        let holders = submits.iter().filter_map(|submit| submit.as_ref().err()?.execution_id());
        let holders: Vec<Uuid> = holders.collect();
        if caller.organization_id().is_none() || holders.is_empty() {
            return submits;
        }
        // The submits are made, whatever can be read now.
        let rows = self.store.executions_by_id(&holders).await.unwrap_or_default();
        let is_shown = |id: Uuid| rows.iter().any(|row| row.id == id && caller.may_see(row.organization_id));
        let told = |error: ApiError| {
            if error.execution_id().is_some_and(is_shown) { error } else { error.without_execution() }
        };
        submits.into_iter().map(|submit| submit.map_err(told)).collect()
    }

    /// A change as this caller may make it: of what is of their organization, by name or because it says nothing else.
    pub(super) async fn own_edit(
        &self,
        caller: &Caller,
        edit: DefinitionEdit,
    ) -> Result<DefinitionEdit, ApiError> {
        let Some(own) = caller.organization_id() else { return Ok(edit) };
        let definitions = self.store.definitions().await?;
        let key = organization_key(&definitions, Some(own)).unwrap_or_default();
        own_edit(&definitions, own, key, edit).map_err(ApiError::from)
    }
}

/// What is of everybody cannot be changed by whoever is bound to one organization, nor what is another's.
fn own_edit(
    definitions: &Definitions,
    own: Uuid,
    key: String,
    edit: DefinitionEdit,
) -> Result<DefinitionEdit, AccessRefusal> {
    let is_own = |called: &str| organization_id(definitions, called) == Ok(own);
    let owned = |organization: Option<String>| match organization {
        Some(called) if !is_own(&called) => Err(AccessRefusal::OtherOrganization),
        Some(_) | None => Ok(Some(key.clone())),
    };
    let schedule_is_own = |name: &str| {
        let known = definitions.schedules.iter().find(|schedule| schedule.name == name);
        match known {
            Some(schedule) if schedule.organization_id != Some(own) => Err(AccessRefusal::OtherOrganization),
            Some(_) | None => Ok(()),
        }
    };
    Ok(match edit {
        DefinitionEdit::SetWorkflow(mut wanted) => {
            wanted.organization = owned(wanted.organization.take())?;
            DefinitionEdit::SetWorkflow(wanted)
        }
        DefinitionEdit::RemoveWorkflow { name, organization } => {
            DefinitionEdit::RemoveWorkflow { name, organization: owned(organization)? }
        }
        DefinitionEdit::SetVariable(mut wanted) => {
            wanted.organization = owned(wanted.organization)?;
            DefinitionEdit::SetVariable(wanted)
        }
        DefinitionEdit::RemoveVariable { key: name, organization } => {
            DefinitionEdit::RemoveVariable { key: name, organization: owned(organization)? }
        }
        DefinitionEdit::SetSchedule(mut wanted) => {
            schedule_is_own(&wanted.name)?;
            wanted.organization = owned(wanted.organization)?;
            DefinitionEdit::SetSchedule(wanted)
        }
        DefinitionEdit::PauseSchedule { name, is_paused } => {
            schedule_is_own(&name)?;
            DefinitionEdit::PauseSchedule { name, is_paused }
        }
        DefinitionEdit::RemoveSchedule { name } => {
            schedule_is_own(&name)?;
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
        | DefinitionEdit::RemoveLimit { .. } => return Err(AccessRefusal::OtherOrganization),
    })
}
