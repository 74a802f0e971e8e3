//! Organizations.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Api;
use super::definitions::{Requester, change, only};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{OrganizationDefinition, OrganizationsView};
use crate::definitions::{DefinitionEdit, organizations};

/// Those that the caller may see.
async fn own(api: &Api, caller: &Caller) -> Result<Vec<OrganizationDefinition>, ApiError> {
    let mut all = organizations(&api.store.definitions().await?);
    all.retain(|one| caller.may_see(one.id));
    Ok(all)
}

/// `GET /api/organizations`
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<OrganizationsView>, ApiError> {
    let organizations = own(&api, &caller).await?;
    Ok(Json(OrganizationsView { organizations }))
}

/// `GET /api/organizations/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(key): Path<String>,
    caller: Caller,
) -> Result<Json<OrganizationDefinition>, ApiError> {
    let all = own(&api, &caller).await?;
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
