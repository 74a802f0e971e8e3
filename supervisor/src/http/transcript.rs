//! The transcript of an execution.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::ApiError;
use super::query::{Id, Query};

/// `GET /api/executions/{id}/transcript`
pub(super) async fn transcript(
    State(api): State<Api>,
    Id(id): Id,
    mut query: Query,
) -> Result<Response, ApiError> {
    let attempt: Option<u32> = query.take("attempt")?;
    query.end()?;
    if let Some(text) = api.service.transcript(id, attempt).await? {
        return Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response());
    }
    let record = api.store.execution(id).await?.ok_or_else(|| ApiError::no_execution(id))?;
    Err(ApiError::not_found(format!(
        "this supervisor has no transcript of execution {id}, which is {}: one is kept by the supervisor that ran it, \
         of executions that did not succeed (setting `transcripts`), until newer ones need its room",
        record.status
    )))
}
