//! The pool: what it does, and the commands to it. Each command answers with the pool after it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use muster_core::pool::WorkerId;

use super::Api;
use super::audit::noting;
use super::problem::ApiError;
use super::query::RequestBody;
use crate::api::{PoolView, RecycleRequest, RecycleTarget, ResizeRequest};

/// `GET /api/pool`
pub(super) async fn show(State(api): State<Api>) -> Json<PoolView> {
    Json(api.service.pool().await)
}

/// `POST /api/pool/resize`
pub(super) async fn resize(State(api): State<Api>, body: RequestBody) -> Result<Response, ApiError> {
    let ResizeRequest { min_workers, max_workers } = body.json()?;
    api.service.resize(min_workers, max_workers).await?;
    let response = show(State(api)).await.into_response();
    Ok(noting(response, format!("{min_workers} to {max_workers} workers")))
}

/// `POST /api/pool/recycle`
pub(super) async fn recycle(State(api): State<Api>, body: RequestBody) -> Result<Response, ApiError> {
    let asked: RecycleRequest = body.json()?;
    let target = match (asked.worker, asked.all) {
        (Some(name), false) => RecycleTarget::Worker(worker_id(&name)?),
        (None, true) => RecycleTarget::All,
        (Some(_), true) | (None, false) => {
            return Err(ApiError::invalid("give either {\"worker\": \"worker-3\"} or {\"all\": true}"));
        }
    };
    api.service.recycle(target).await?;
    let detail = match target {
        RecycleTarget::Worker(worker) => worker.to_string(),
        RecycleTarget::All => "all workers".to_owned(),
    };
    Ok(noting(show(State(api)).await.into_response(), detail))
}

/// `POST /api/pool/reload`
pub(super) async fn reload(State(api): State<Api>) -> Result<Json<PoolView>, ApiError> {
    api.service.reload().await?;
    Ok(show(State(api)).await)
}

/// `worker-3`, or just `3`.
fn worker_id(name: &str) -> Result<WorkerId, ApiError> {
    let number = name.strip_prefix("worker-").unwrap_or(name);
    number.parse().map(WorkerId).map_err(|_| {
        ApiError::invalid(format!(
            "{name:?} is no worker: it is called like worker-3, see `supervisor status`"
        ))
    })
}
