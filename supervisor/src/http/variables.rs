//! Variables and secrets. The value of a secret goes in and never comes out.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::audit::noting;
use super::definitions::{Requester, change, only, owner};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{SecretValue, SecretView, SecretsView, VariableDefinition, VariablesView};
use crate::definitions::{DefinitionEdit, secrets, variables};

/// `GET /api/variables`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<VariablesView>, ApiError> {
    let variables = variables(&api.own_definitions(&caller).await?);
    Ok(Json(VariablesView { variables }))
}

/// `GET /api/variables/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(key): Path<String>,
    caller: Caller,
    mut query: QueryParameters,
) -> Result<Json<VariableDefinition>, ApiError> {
    let organization = owner(&mut query)?;
    query.end()?;
    let all = variables(&api.own_definitions(&caller).await?);
    let is_meant = |one: &VariableDefinition| one.key == key && one.organization == organization;
    only("variable", &key, all, is_meant, |one| &one.key).map(Json)
}

/// `PUT /api/variables/{key}`
pub(super) async fn put(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    let wanted: VariableDefinition = body.definition()?;
    let organization = organization.or(wanted.organization);
    let wanted = VariableDefinition { key, organization, value: wanted.value };
    change(&api, requester, query, DefinitionEdit::SetVariable(wanted)).await
}

/// `DELETE /api/variables/{key}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    change(&api, requester, query, DefinitionEdit::RemoveVariable { key, organization }).await
}

/// `GET /api/secrets`
pub(super) async fn list_secrets(State(api): State<Api>) -> Result<Json<SecretsView>, ApiError> {
    let secrets = secrets(&api.store.definitions().await?);
    Ok(Json(SecretsView { secrets }))
}

/// `POST /api/secrets`
pub(super) async fn rotate(
    State(api): State<Api>,
    Requester { who, .. }: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    query.end()?;
    let plan = api.service.rotate_secrets(&who).await?;
    let detail = format!("encrypted {} secrets anew", plan.changes.len());
    Ok(noting(Json(plan).into_response(), detail))
}

/// `GET /api/secrets/{key}`
pub(super) async fn show_secret(
    State(api): State<Api>,
    Path(key): Path<String>,
    mut query: QueryParameters,
) -> Result<Json<SecretView>, ApiError> {
    let organization = owner(&mut query)?;
    query.end()?;
    let all = secrets(&api.store.definitions().await?);
    let is_meant = |one: &SecretView| one.key == key && one.organization == organization;
    only("secret", &key, all, is_meant, |one| &one.key).map(Json)
}

/// `PUT /api/secrets/{key}`
pub(super) async fn put_secret(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    let SecretValue { value } = body.definition()?;
    change(&api, requester, query, DefinitionEdit::SetSecret { key, organization, value }).await
}

/// `DELETE /api/secrets/{key}`
pub(super) async fn delete_secret(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let organization = owner(&mut query)?;
    change(&api, requester, query, DefinitionEdit::RemoveSecret { key, organization }).await
}
