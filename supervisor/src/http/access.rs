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
use crate::definitions::{is_organization_called, organization_id};

impl Api {
    /// An organization by its key, its name or its id. One of an id need not be known: executions may name any. For whoever
    /// is bound to one there is no other: all else is refused alike, so that nobody learns what others there are.
    pub(super) async fn organization_called(&self, caller: &Caller, called: &str) -> Result<Uuid, ApiError> {
        if let Ok(id) = called.parse() {
            caller.of(Some(id))?;
            return Ok(id);
        }
        let definitions = self.store.definitions().await?;
        match caller.organization_id() {
            None => organization_id(&definitions, called).map_err(ApiError::invalid),
            Some(own) if is_organization_called(&definitions, own, called) => Ok(own),
            Some(_) => Err(AccessRefusal::OtherOrganization.into()),
        }
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
            Some(called) => Some(self.organization_called(caller, &called).await?),
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
            self.check_workflow(*workflow_id, own).await?;
        }
        if is_anothers(request.execution_id) {
            return Err(ServiceError::IdTaken(request.execution_id).into());
        }
        request.organization_id = Some(own);
        Ok(request)
    }

    /// A workflow of another organization would run in the name of that one, and with its secrets. It is refused as one that
    /// is not there, which could not run either.
    async fn check_workflow(&self, id: Uuid, own: Uuid) -> Result<(), ApiError> {
        let row = self.store.workflow(id).await?;
        if row.is_some_and(|row| row.organization_id.is_none_or(|whose| whose == own)) {
            return Ok(());
        }
        let detail = format!(
            "the token shown is bound to one organization, and no active workflow of that one or of everybody has the \
             id {id}"
        );
        Err(ApiError::new(ErrorKind::Forbidden, detail))
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
}
