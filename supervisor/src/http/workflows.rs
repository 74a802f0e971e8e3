//! Workflows: what the code declares of them, and what is defined.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Api;
use super::definitions::{Requester, change, only, owner};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{WorkflowDefinition, WorkflowsView};
use crate::definitions::{DefinitionEdit, workflows};

/// `GET /api/workflows`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<WorkflowsView>, ApiError> {
    let defined = workflows(&api.own_definitions(&caller).await?);
    let WorkflowsView { workflows, broken, .. } = api.service.workflows();
    // What code declares anybody may run; which files are broken is for those who look after the supervisor.
    let broken = if caller.organization_id().is_none() { broken } else { Vec::new() };
    Ok(Json(WorkflowsView { workflows, broken, defined }))
}

/// `GET /api/workflows/{name}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
    mut query: QueryParameters,
) -> Result<Json<WorkflowDefinition>, ApiError> {
    let organization = owner(&mut query)?;
    query.end()?;
    let all = workflows(&api.own_definitions(&caller).await?);
    let is_meant = |one: &WorkflowDefinition| one.name == name && one.organization == organization;
    only("workflow", &name, all, is_meant, |one| &one.name).map(Json)
}

/// `PUT /api/workflows/{name}`
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    let wanted: WorkflowDefinition = body.definition::<WorkflowDefinition>()?;
    let wanted =
        WorkflowDefinition { organization: organization.or(wanted.organization.clone()), name, ..wanted };
    change(&api, requester, query, DefinitionEdit::SetWorkflow(Box::new(wanted))).await
}

/// `DELETE /api/workflows/{name}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    change(&api, requester, query, DefinitionEdit::RemoveWorkflow { name, organization }).await
}
