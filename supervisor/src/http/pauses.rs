//! Pauses: what is not to start now.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use muster_store::PauseTarget;
use uuid::Uuid;

use super::Api;
use super::audit::noting;
use super::definitions::Requester;
use super::problem::ApiError;
use super::query::RequestBody;
use crate::access::Caller;
use crate::api::{PauseRequest, PausesView, ResumedView, pause_view};

/// The longest reason.
const WHY_MAX_CHARS: usize = 500;

/// `GET /api/pauses`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<PausesView>, ApiError> {
    let all = api.store.pauses().await?;
    let own = all.iter().filter(|pause| caller.may_see(whose(&pause.target)));
    Ok(Json(PausesView { pauses: own.map(pause_view).collect() }))
}

/// `PUT /api/pauses/{target}`
pub(super) async fn pause(
    State(api): State<Api>,
    Path(target): Path<String>,
    Requester { who, caller }: Requester,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let PauseRequest { why } = body.definition()?;
    let why = why.filter(|why| !why.trim().is_empty());
    if why.as_ref().is_some_and(|why| why.chars().count() > WHY_MAX_CHARS || why.contains('\0')) {
        return Err(ApiError::invalid(format!("why: must be a text of at most {WHY_MAX_CHARS} characters")));
    }
    let target = meant(&api, &caller, &target).await?;
    caller.of(whose(&target))?;
    let paused = pause_view(&api.store.pause(&target, &who, why.as_deref()).await?);
    let detail = format!("{} is paused", paused.target);
    Ok(noting(Json(paused).into_response(), detail))
}

/// `DELETE /api/pauses/{target}`
pub(super) async fn resume(
    State(api): State<Api>,
    Path(called): Path<String>,
    Requester { who, caller }: Requester,
) -> Result<Response, ApiError> {
    let target = meant(&api, &caller, &called).await?;
    caller.of(whose(&target))?;
    let was_paused = api.store.resume(&target, &who).await?;
    let detail = format!("{called} is {}", if was_paused { "resumed" } else { "not paused" });
    Ok(noting(Json(ResumedView { target: called, was_paused }).into_response(), detail))
}

/// The organization that a pause is about; `None` where it is about others, too.
fn whose(target: &PauseTarget) -> Option<Uuid> {
    match target {
        PauseTarget::Organization(id) => Some(*id),
        PauseTarget::All | PauseTarget::Queue(_) | PauseTarget::Workflow(_) => None,
    }
}

/// What is meant by a text; an organization may be called by its key or its name.
async fn meant(api: &Api, caller: &Caller, text: &str) -> Result<PauseTarget, ApiError> {
    let Some(called) = text.strip_prefix("organization:").filter(|called| !called.is_empty()) else {
        return text
            .parse()
            .map_err(|error: muster_store::InvalidPauseTarget| ApiError::invalid(error.to_string()));
    };
    api.organization_called(caller, called).await.map(PauseTarget::Organization)
}
