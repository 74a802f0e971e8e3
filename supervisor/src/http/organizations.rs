//! Organizations.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Api;
use super::definitions::{Requester, change, only};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::api::{OrganizationDefinition, OrganizationsView};
use crate::definitions::{DefinitionEdit, organizations};

/// `GET /api/organizations`
pub(super) async fn list(State(api): State<Api>) -> Result<Json<OrganizationsView>, ApiError> {
    let organizations = organizations(&api.store.definitions().await?);
    Ok(Json(OrganizationsView { organizations }))
}

/// `GET /api/organizations/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(key): Path<String>,
) -> Result<Json<OrganizationDefinition>, ApiError> {
    let all = organizations(&api.store.definitions().await?);
    let is_meant = |one: &OrganizationDefinition| one.key == key || one.id == key.parse().ok();
    only("organization", &key, all, is_meant, |one| &one.key).map(Json)
}

/// `PUT /api/organizations/{key}`
pub(super) async fn put(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let wanted: OrganizationDefinition = body.definition()?;
    let wanted = OrganizationDefinition { key, ..wanted };
    change(&api, requester, query, DefinitionEdit::SetOrganization(wanted)).await
}

/// `DELETE /api/organizations/{key}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(key): Path<String>,
    requester: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    change(&api, requester, query, DefinitionEdit::RemoveOrganization { key }).await
}
