//! Executions: submit, show, cancel, retry.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use muster_core::execution::{ExecutionRequest, InvalidRequest, RequestDraft, Status, is_derived_id};
use muster_core::fleet::SupervisorRecord;
use muster_store::{CancelResult, EventRow, ExecutionRecord};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::audit::noting;
use super::problem::{ApiError, ErrorKind};
use super::query::{PathId, QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{AcceptedView, CancelOutcome, CancelView, ExplanationView, RetryRequest, SubmitAnswer};
use crate::strict_request::strict_draft;

/// The steps of an execution.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(super) struct EventPageView {
    /// Oldest first.
    events: Vec<EventRow>,
    /// The supervisors that the events name, as far as they said who they are.
    supervisors: Vec<SupervisorRecord>,
}

/// `POST /api/executions`
pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    mut query: QueryParameters,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let wait = query.wait()?;
    query.end()?;
    let mut draft = draft(&body.0, &headers)?;
    if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
        draft.take_idempotency_key(&bare_key(key)?);
    }
    let requests = vec![request_of(draft)?];
    let request = api.own_requests(&caller, requests).await?.pop().transpose()?;
    let request = request.ok_or_else(|| ApiError::invalid("there is no request"))?;
    let watch = match wait {
        Some(wait) => Some((api.watch_end(request.execution_id).await, wait)),
        None => None,
    };
    let submitted = vec![api.service.submit(request).await];
    let submitted = api.told_of_submits(&caller, submitted).await.pop().transpose()?;
    let submitted = submitted.ok_or_else(|| ApiError::new(ErrorKind::Failed, "there is no answer"))?;
    let SubmitAnswer { execution_id, status, existing, paused_by } = submitted;
    let detail = format!("execution {execution_id}{}", if existing { ", submitted before" } else { "" });
    let record = match watch {
        Some((watch, wait)) => {
            let watch = watch.submitted(&api, execution_id, status).await;
            api.wait_for_end(&caller, watch, wait).await?
        }
        None if existing => api.store.execution(execution_id).await?,
        None => None,
    };
    if let Some(record) = record {
        let record = ExecutionRecord { existing, ..record };
        return Ok(noting(if wait.is_some() { row(record) } else { Json(record).into_response() }, detail));
    }
    let accepted = AcceptedView { execution_id, status: Some(status), retry_of: None, existing, paused_by };
    Ok(noting((StatusCode::ACCEPTED, Json(accepted)).into_response(), detail))
}

/// What a body asks for, with an id, in the trace of whoever asks, and with what is wrong with it.
pub(super) fn draft(body: &[u8], headers: &HeaderMap) -> Result<RequestDraft, InvalidRequest> {
    let mut draft = strict_draft(body)?.with_default_id(Uuid::now_v7());
    if let Some(traceparent) = headers.get(TRACEPARENT).and_then(|header| header.to_str().ok()) {
        draft.take_traceparent(traceparent.trim());
    }
    Ok(draft)
}

/// The request of a draft, under an id that a caller may give.
pub(super) fn request_of(draft: RequestDraft) -> Result<ExecutionRequest, ApiError> {
    let request = draft.into_request()?;
    given_id(request.execution_id)?;
    Ok(request)
}

/// An id that a caller gives. One that follows from a schedule's or an execution's is kept for what it is of: whoever took it
/// before would keep that from being run.
fn given_id(id: Uuid) -> Result<Uuid, ApiError> {
    if is_derived_id(id) {
        let detail = format!(
            "execution_id: {id} is of those that ticks of schedules and repeated executions have: give another, or none"
        );
        return Err(ApiError::invalid(detail));
    }
    Ok(id)
}

/// The header of W3C that says what the body's `traceparent` says.
const TRACEPARENT: &str = "traceparent";

/// The header that says what the body's `idempotency_key` says.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The key of the header: as it is, or in quotes, as the draft of its standard wants it.
fn bare_key(header: &HeaderValue) -> Result<String, ApiError> {
    let Ok(text) = header.to_str().map(str::trim) else {
        return Err(ApiError::invalid(
            "Idempotency-Key: must be ASCII text; give others as idempotency_key in the body",
        ));
    };
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(inner.unwrap_or(text).to_owned())
}

/// A row: 200 once it is over, 202 before.
fn row(record: ExecutionRecord) -> Response {
    let status = if record.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(record)).into_response()
}

/// `GET /api/executions/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let wait = query.wait()?;
    query.end()?;
    let record = match wait {
        Some(wait) => api.wait_for_end(&caller, api.watch_end(id).await, wait).await?,
        None => api.store.execution(id).await?,
    };
    let record = record.ok_or_else(|| ApiError::no_execution(id))?;
    Ok(if wait.is_some() { row(record) } else { Json(record).into_response() })
}

impl Api {
    /// The supervisors that events name, as far as they are known.
    pub(super) async fn supervisors_of(
        &self,
        events: &[EventRow],
    ) -> Result<Vec<SupervisorRecord>, ApiError> {
        let mut ids: Vec<Uuid> = events.iter().filter_map(|event| event.supervisor).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.store.supervisors(&ids).await?)
    }
}

/// `GET /api/executions/{id}/events`
pub(super) async fn events(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let mut events = api.store.events(id).await?;
    // They are stored when an attempt ends; what others wrote meanwhile belongs between them.
    events.sort_by_key(|event| event.at);
    if events.is_empty() && api.store.execution(id).await?.is_none() {
        return Err(ApiError::no_execution(id));
    }
    // Where supervisors are is not of one organization.
    let supervisors = match caller.organization_id() {
        None => api.supervisors_of(&events).await?,
        Some(_) => Vec::new(),
    };
    Ok(Json(EventPageView { events, supervisors }).into_response())
}

/// `GET /api/executions/{id}/explain`
pub(super) async fn explain(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<ExplanationView>, ApiError> {
    let explanation = api.service.explain(id, caller.organization_id().is_none()).await?;
    explanation.map(Json).ok_or_else(|| ApiError::no_execution(id))
}

/// `POST /api/executions/{id}/cancel`
pub(super) async fn cancel(State(api): State<Api>, PathId(id): PathId) -> Result<Json<CancelView>, ApiError> {
    let (outcome, status) = match api.service.cancel(id).await? {
        CancelResult::Cancelled => (CancelOutcome::Cancelled, Status::Cancelled),
        CancelResult::Requested { .. } => (CancelOutcome::Requested, Status::Running),
        CancelResult::AlreadyTerminal(status) => (CancelOutcome::AlreadyFinished, status),
        CancelResult::Tombstone => (CancelOutcome::Unknown, Status::Cancelled),
    };
    Ok(Json(CancelView { execution_id: id, outcome, status }))
}

/// `POST /api/executions/{id}/retry`
pub(super) async fn retry(
    State(api): State<Api>,
    PathId(id): PathId,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let asked: RetryRequest = body.json()?;
    let execution_id = asked.execution_id.map_or_else(|| Ok(Uuid::now_v7()), given_id)?;
    let SubmitAnswer { status, paused_by, .. } = api.service.retry(id, execution_id).await?;
    let (status, retry_of) = (Some(status), Some(id));
    let accepted = AcceptedView { execution_id, status, retry_of, existing: false, paused_by };
    let response = (StatusCode::ACCEPTED, Json(accepted)).into_response();
    Ok(noting(response, format!("execution {execution_id}")))
}

/// `POST /api/executions/cancel`
pub(super) async fn cancel_many(
    State(api): State<Api>,
    caller: Caller,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let selection = api.narrowed_selection(&caller, body.json()?).await?;
    let view = api.service.cancel_many(&selection).await?;
    let detail = format!("{} cancelled, {} asked to end of {selection}", view.done, view.asked);
    Ok(noting(Json(view).into_response(), detail))
}

/// `POST /api/executions/retry`
pub(super) async fn retry_many(
    State(api): State<Api>,
    caller: Caller,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let selection = api.narrowed_selection(&caller, body.json()?).await?;
    let view = api.service.retry_many(&selection).await?;
    let detail = format!("{} submitted again of {selection}", view.done);
    Ok(noting(Json(view).into_response(), detail))
}
