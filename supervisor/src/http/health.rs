//! Health for whoever keeps the process alive, and metrics for whoever watches it.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::Api;
use super::guard::Visitor;
use crate::api::Readiness;

/// `GET /healthz`: whether the loops of this process turn. A server that is away does not count.
pub(super) async fn alive(State(api): State<Api>) -> Response {
    match api.service.liveness() {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}

/// `GET /readyz`
pub(super) async fn ready(State(api): State<Api>, Extension(visitor): Extension<Visitor>) -> Response {
    respond(api.service.readiness().await, visitor)
}

/// The answer to whoever asks for readiness.
pub(super) fn respond(readiness: Readiness, visitor: Visitor) -> Response {
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = match visitor {
        Visitor::Known => readiness,
        Visitor::Stranger => readiness.without_parts(),
    };
    (status, Json(readiness)).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let text = api.service.metrics().await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
