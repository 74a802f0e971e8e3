//! Limits: list, show, set, remove.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use muster_core::execution::check;
use muster_core::limit::LimitTerms;
use muster_store::LimitUse;

use super::Api;
use super::audit::noting;
use super::definitions::Requester;
use super::problem::ApiError;
use super::query::RequestBody;
use crate::api::{LimitDefinition, LimitRemovedView, LimitView, LimitsView};
use crate::definitions::{DefinitionEdit, DefinitionWish};

/// `GET /api/limits`
pub(super) async fn list(State(api): State<Api>) -> Result<Json<LimitsView>, ApiError> {
    let (limits, uses) = (api.store.limits().await?, api.store.limit_uses().await?);
    let terms = |name: &str| limits.iter().find(|limit| limit.name == name).map(|limit| limit.terms.clone());
    let shown =
        |LimitUse { name, running, waiting }| LimitView { terms: terms(&name), name, running, waiting };
    Ok(Json(LimitsView { limits: uses.into_iter().map(shown).collect() }))
}

/// `GET /api/limits/{name}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<LimitView>, ApiError> {
    let set = api.store.limit(&name).await?;
    let used = api.store.limit_uses().await?.into_iter().find(|used| used.name == name);
    if set.is_none() && used.is_none() {
        return Err(no_limit(&name));
    }
    let LimitUse { running, waiting, .. } = used.unwrap_or_default();
    Ok(Json(LimitView { name, terms: set.map(|limit| limit.terms), running, waiting }))
}

/// `PUT /api/limits/{name}`
pub(super) async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    Requester { who, .. }: Requester,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let terms: LimitTerms = body.json()?;
    let mut problems = terms.problems();
    problems.extend(check::limit_name(&name).err().map(|problem| format!("name: {problem}")));
    if !problems.is_empty() {
        return Err(ApiError::with_problems(format!("invalid limit: {}", problems.join("; ")), problems));
    }
    let edit = DefinitionEdit::SetLimit(LimitDefinition::of(&name, &terms));
    api.service.edit_definitions(DefinitionWish::Edits(vec![edit]), &who, false).await?;
    let detail = format!("limit {name}");
    Ok(noting(show(State(api), Path(name)).await?.into_response(), detail))
}

/// `DELETE /api/limits/{name}`
pub(super) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    Requester { who, .. }: Requester,
) -> Result<Response, ApiError> {
    let edit = DefinitionEdit::RemoveLimit { name: name.clone() };
    api.service.edit_definitions(DefinitionWish::Edits(vec![edit]), &who, false).await?;
    let detail = format!("limit {name}");
    Ok(noting(Json(LimitRemovedView { name }).into_response(), detail))
}

fn no_limit(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no limit {name}: `supervisor limit list` shows those there are"))
}
