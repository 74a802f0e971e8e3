//! Schedules: what runs by itself, when, and now.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use muster_core::nearest::nearest;

use super::Api;
use super::audit::noting;
use super::definitions::{Requester, change};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{AcceptedView, ScheduleDefinition, ScheduleView, SchedulesView, SubmitAnswer, TicksView};
use crate::definitions::{DefinitionEdit, schedules, ticks};

/// How many ticks are shown when nobody says, and at most.
const TICKS_DEFAULT: usize = 10;
const TICKS_MAX: usize = 1_000;

/// `GET /api/schedules`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<SchedulesView>, ApiError> {
    let schedules = schedules(&api.own_definitions(&caller).await?);
    Ok(Json(SchedulesView { schedules }))
}

async fn find(api: &Api, caller: &Caller, name: &str) -> Result<ScheduleView, ApiError> {
    let all = schedules(&api.own_definitions(caller).await?);
    let problem = no_schedule(name, all.iter().map(|one| one.schedule.name.as_str()));
    all.into_iter().find(|one| one.schedule.name == name).ok_or(problem)
}

/// What is said of a schedule that is not one of these, which are all that the caller may see.
pub(super) fn no_schedule<'a>(name: &str, own: impl Iterator<Item = &'a str>) -> ApiError {
    let hint = nearest(name, own).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    ApiError::not_found(format!("there is no schedule {name:?}{hint}"))
}

/// `GET /api/schedules/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<ScheduleView>, ApiError> {
    find(&api, &caller, &name).await.map(Json)
}

/// `GET /api/schedules/{key}/next`
pub(super) async fn next(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
    mut query: QueryParameters,
) -> Result<Json<TicksView>, ApiError> {
    let count = query.take("count")?.unwrap_or(TICKS_DEFAULT).clamp(1, TICKS_MAX);
    let after = query.moment("after")?.unwrap_or_else(Timestamp::now);
    query.end()?;
    let schedule = find(&api, &caller, &name).await?.schedule;
    ticks(&schedule, after, count).map(Json).map_err(ApiError::invalid)
}

/// `PUT /api/schedules/{key}`
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let wanted: ScheduleDefinition = body.definition()?;
    change(&api, requester, query, DefinitionEdit::SetSchedule(ScheduleDefinition { name, ..wanted })).await
}

/// `DELETE /api/schedules/{key}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    change(&api, requester, query, DefinitionEdit::RemoveSchedule { name }).await
}

/// `POST /api/schedules/{key}/pause`
pub(super) async fn pause(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    change(&api, requester, query, DefinitionEdit::PauseSchedule { name, is_paused: true }).await
}

/// `POST /api/schedules/{key}/resume`
pub(super) async fn resume(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    change(&api, requester, query, DefinitionEdit::PauseSchedule { name, is_paused: false }).await
}

/// `POST /api/schedules/{key}/run`
pub(super) async fn run(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    query.end()?;
    find(&api, &caller, &name).await?;
    let SubmitAnswer { execution_id, paused_by, .. } = api.service.run_schedule(&name).await?;
    let accepted = AcceptedView { execution_id, status: None, retry_of: None, existing: false, paused_by };
    Ok(noting((StatusCode::ACCEPTED, Json(accepted)).into_response(), format!("execution {execution_id}")))
}
