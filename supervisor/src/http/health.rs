//! Health for whoever keeps the process alive, and metrics for whoever watches it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::Api;
use super::guard::Visitor;
use crate::api::Readiness;
use crate::observe::plain;

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
    let readiness = if visitor.sees_everything() { readiness } else { readiness.without_parts() };
    (status, Json(readiness)).into_response()
}

/// `GET /metrics`: OpenMetrics, and for whoever asks for plain text alone the format before it.
pub(super) async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Response {
    let text = api.service.metrics().await;
    let (kind, text) = if wants_plain(&headers) {
        ("text/plain; version=0.0.4; charset=utf-8", plain(&text))
    } else {
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
    };
    ([(header::CONTENT_TYPE, kind), (header::VARY, "accept")], text).into_response()
}

/// Whether it takes plain text and not OpenMetrics.
fn wants_plain(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds: Vec<String> = accepted
        .flat_map(|value| value.split(','))
        .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    let names = |kind: &str| kinds.iter().any(|named| named == kind);
    names("text/plain") && !names("application/openmetrics-text")
}
