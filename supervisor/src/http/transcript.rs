//! The transcript of an execution.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use muster_core::execution::Status;
use muster_core::fleet::SupervisorRecord;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use super::query::{PathId, QueryParameters};

/// So many attempts are looked at to say which have one.
const ATTEMPTS_LOOKED_AT: u32 = 100;

/// `GET /api/executions/{id}/transcript`
pub(super) async fn transcript(
    State(api): State<Api>,
    PathId(id): PathId,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let attempt: Option<u32> = query.take("attempt")?;
    query.end()?;
    if let Some(text) = api.service.transcript(id, attempt).await? {
        return Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response());
    }
    let record = api.store.execution(id).await?.ok_or_else(|| ApiError::no_execution(id))?;
    let whose = match attempt {
        Some(attempt) => format!("of attempt {attempt} of execution {id}"),
        None => format!("of execution {id}"),
    };
    let mut kept = Vec::new();
    for other in 1..=record.attempt.min(ATTEMPTS_LOOKED_AT) {
        if api.service.transcript(id, Some(other)).await?.is_some() {
            kept.push(other.to_string());
        }
    }
    if !kept.is_empty() {
        let (noun, verb) = if kept.len() == 1 { ("attempt", "has") } else { ("attempts", "have") };
        let kept = kept.join(", ");
        return Err(ApiError::not_found(format!("there is no transcript {whose}; {noun} {kept} {verb} one")));
    }
    if let Some(elsewhere) = elsewhere(&api, id, attempt.unwrap_or(record.attempt)).await? {
        return Err(ApiError::not_found(format!("there is no transcript {whose} here: {elsewhere}")));
    }
    let why = match record.status {
        Status::Success => "one of a success is kept with transcripts = \"all\" only",
        Status::Pending | Status::Running => "one is kept when the execution is over",
        Status::Failed | Status::Timeout | Status::Cancelled => {
            "one is kept by the supervisor that ran it (setting `transcripts`), until newer ones need its room"
        }
    };
    Err(ApiError::not_found(format!("there is no transcript {whose}, which is {}: {why}", record.status)))
}

/// Where an attempt ran, if that is another supervisor's business: transcripts stay with who ran it.
async fn elsewhere(api: &Api, id: Uuid, attempt: u32) -> Result<Option<String>, ApiError> {
    let mut events = api.store.events(id).await?;
    events.retain(|event| event.attempt == attempt && event.event == "claimed");
    let Some(by) = events.iter().rev().find_map(|event| event.supervisor) else { return Ok(None) };
    let here = api.service.who();
    if by == here.id {
        return Ok(None);
    }
    let known = api.store.supervisors(&[by]).await?.pop();
    let Some(SupervisorRecord { host, data_dir, http_address, .. }) = known else {
        return Ok(Some(format!(
            "attempt {attempt} ran on the supervisor {by}, which keeps it; ask that one"
        )));
    };
    // An earlier start of this one kept its files here.
    if host == here.host && data_dir == here.data_dir {
        return Ok(None);
    }
    let ask = match http_address {
        Some(address) => format!("ask that one (`supervisor transcript {id} --url {address}`)"),
        None => "that one has no API to ask".to_owned(),
    };
    Ok(Some(format!("attempt {attempt} ran on {host}; {ask}, or look there in {data_dir}/transcripts")))
}
