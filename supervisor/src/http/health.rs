//! Health for whoever keeps the process alive, and metrics for whoever watches it.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Api;

/// `GET /healthz`: whether the loops of this process turn. A server that is away does not count.
pub(super) async fn alive(State(api): State<Api>) -> Response {
    match api.service.liveness() {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}

/// `GET /readyz`
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let readiness = api.service.readiness().await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let text = api.service.metrics().await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
