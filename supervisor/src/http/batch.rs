//! Many executions at once: each item is answered for itself, and one that is refused changes nothing for the others.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use muster_core::execution::{ExecutionRequest, RequestDraft};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::audit::noting;
use super::executions::{draft, request_of};
use super::problem::{ApiError, ErrorKind};
use super::query::{QueryParameters, RequestBody};
use crate::access::Caller;
use crate::api::{BatchItemView, BatchView, SubmitAnswer};

/// So many are taken at once.
const ITEMS_MAX: usize = 10_000;

/// The body, as it is documented.
#[derive(ToSchema)]
#[schema(as = Batch)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct BatchRequest(Vec<RequestDraft>);

/// `POST /api/executions/batch`
pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    query: QueryParameters,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, ApiError> {
    query.end()?;
    let items = items(&body.0)?;
    let (mut requests, mut refused) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for item in items {
        match request(item, &headers) {
            Ok(request) => {
                requests.push(request);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    let (mut own, mut whose) = (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
    for request in api.own_requests(&caller, requests).await? {
        match request {
            Ok(request) => {
                own.push(request);
                whose.push(None);
            }
            Err(error) => whose.push(Some(error)),
        }
    }
    let submitted = api.told_of_submits(&caller, api.service.submit_many(own).await).await;
    let (mut whose, mut submitted) = (whose.into_iter(), submitted.into_iter());
    let answer = |refused: Option<ApiError>| match refused.or_else(|| whose.next().flatten()) {
        Some(error) => problem(error),
        None => match submitted.next() {
            Some(Ok(answer)) => accepted(answer),
            Some(Err(error)) => problem(error),
            None => problem(ApiError::new(ErrorKind::Failed, "there is no answer for this item")),
        },
    };
    let executions: Vec<BatchItemView> = refused.into_iter().map(answer).collect();
    let refused = executions.iter().filter(|item| item.problem.is_some()).count();
    let detail = format!("{} executions, {refused} refused", executions.len() - refused);
    Ok(noting(Json(BatchView { executions }).into_response(), detail))
}

fn request(item: &[u8], headers: &HeaderMap) -> Result<ExecutionRequest, ApiError> {
    request_of(draft(item, headers)?)
}

/// The items of a JSON array, or of lines of JSON.
fn items(body: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let items: Vec<&[u8]> = if body.trim_ascii_start().first() == Some(&b'[') {
        let array: Vec<&RawValue> = serde_json::from_slice(body)
            .map_err(|error| ApiError::invalid(format!("the body is no JSON array: {error}")))?;
        array.into_iter().map(|item| item.get().as_bytes()).collect()
    } else {
        body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect()
    };
    if items.len() > ITEMS_MAX {
        let detail = format!("{} executions; at most {ITEMS_MAX} are taken at once", items.len());
        return Err(ApiError::new(ErrorKind::TooLarge, detail));
    }
    Ok(items)
}

fn accepted(answer: SubmitAnswer) -> BatchItemView {
    let SubmitAnswer { execution_id, status, existing, paused_by } = answer;
    BatchItemView {
        execution_id: Some(execution_id),
        status: Some(status),
        existing,
        paused_by,
        problem: None,
    }
}

fn problem(error: ApiError) -> BatchItemView {
    BatchItemView {
        execution_id: None,
        status: None,
        existing: false,
        paused_by: Vec::new(),
        problem: Some(error.into_view()),
    }
}
